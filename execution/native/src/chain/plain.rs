//! The plain read: a JSON-RPC body that asks for something small of the pre-confirmed state, answered in one go.
//!
//! ```text
//! {"jsonrpc":"2.0","id":ID,"method":"eth_getBalance","params":["0xADDRESS","latest"]}
//! {"jsonrpc":"2.0","id":ID,"method":"eth_call","params":[{"from":..,"to":..,"data":..},"latest"]}
//! ```
//!
//! or an array of one method's calls. Whatever is not exactly this, fails, or takes longer than a moment is declined:
//! then the node's general way reads the same bytes and decides, also about what is an error. So nothing here has an
//! error of its own, and answering here changes nothing but the time that it takes.

use std::time::Instant;

use alloy_primitives::hex;
use alloy_primitives::{Address, Bytes, KECCAK256_EMPTY, U256};
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::brief::brief_call;
use super::call::CallRequest;
use super::engine::{Engine, Spec};
use super::reads::At;
use crate::error::Result;
use crate::state::{Account, View};

/// The calls of a body, all of one method.
#[derive(Debug)]
pub struct PlainReads {
    batch: bool,
    /// Each with its id as it stands in the JSON.
    calls: Vec<(Box<str>, Read)>,
}

#[derive(Debug)]
enum Read {
    Balance(Address),
    Nonce(Address),
    Code(Address),
    Slot(Address, U256),
    Call { sender: Address, to: Address, data: Bytes },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    from: Option<&'a str>,
    to: &'a str,
    data: Option<&'a str>,
    input: Option<&'a str>,
}

impl PlainReads {
    /// The calls in `body`, at most `limit`, if all of it is plain.
    pub fn of(body: &[u8], limit: usize) -> Option<Self> {
        let batch = body.first() == Some(&b'[');
        let requests: Vec<Request<'_>> =
            if batch { serde_json::from_slice(body).ok()? } else { vec![serde_json::from_slice(body).ok()?] };
        if requests.is_empty() || requests.len() > limit {
            return None;
        }
        let method = requests[0].method;
        let call = |request: &Request<'_>| {
            let plain = request.jsonrpc == "2.0" && request.method == method && is_plain_id(request.id.get());
            if plain { Some((request.id.get().into(), read(method, request.params.get())?)) } else { None }
        };
        Some(Self { batch, calls: requests.iter().map(call).collect::<Option<_>>()? })
    }

    pub fn method(&self) -> &'static str {
        match self.calls[0].1 {
            Read::Balance(_) => "eth_getBalance",
            Read::Nonce(_) => "eth_getTransactionCount",
            Read::Code(_) => "eth_getCode",
            Read::Slot(..) => "eth_getStorageAt",
            Read::Call { .. } => "eth_call",
        }
    }

    pub fn count(&self) -> usize {
        self.calls.len()
    }
}

/// Integers of up to this many digits come back from any parser as they went in.
const LONGEST_NUMBER: usize = 15;

/// A string without escapes, a small number or null: what goes back as it came.
fn is_plain_id(id: &str) -> bool {
    let number = id.len() <= LONGEST_NUMBER && id.bytes().all(|byte| byte.is_ascii_digit());
    let text = id.starts_with('"') && id.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\');
    number || text || id == "null"
}

fn read(method: &str, params: &str) -> Option<Read> {
    match method {
        "eth_getBalance" => {
            let (owner, block): (&str, &str) = serde_json::from_str(params).ok()?;
            is_preconfirmed(block).then_some(Read::Balance(address(owner)?))
        }
        "eth_getTransactionCount" => {
            // At "pending" the pool has a say.
            let (owner, block): (&str, &str) = serde_json::from_str(params).ok()?;
            (block == "latest").then_some(Read::Nonce(address(owner)?))
        }
        "eth_getCode" => {
            let (owner, block): (&str, &str) = serde_json::from_str(params).ok()?;
            is_preconfirmed(block).then_some(Read::Code(address(owner)?))
        }
        "eth_getStorageAt" => {
            let (owner, slot, block): (&str, &str, &str) = serde_json::from_str(params).ok()?;
            is_preconfirmed(block).then_some(Read::Slot(address(owner)?, U256::from_be_bytes(fixed::<32>(slot)?)))
        }
        "eth_call" => {
            let (message, block): (Message<'_>, &str) = serde_json::from_str(params).ok()?;
            if !is_preconfirmed(block) || (message.data.is_some() && message.input.is_some()) {
                return None;
            }
            Some(Read::Call {
                sender: message.from.map_or(Some(Address::ZERO), address)?,
                to: address(message.to)?,
                data: hex::decode(digits(message.data.or(message.input).unwrap_or("0x"))?).ok()?.into(),
            })
        }
        _ => None,
    }
}

fn is_preconfirmed(block: &str) -> bool {
    block == "latest" || block == "pending"
}

fn address(text: &str) -> Option<Address> {
    Some(Address::new(fixed(text)?))
}

fn fixed<const SIZE: usize>(text: &str) -> Option<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    hex::decode_to_slice(digits(text)?, &mut bytes).ok()?;
    Some(bytes)
}

/// What follows the prefix, which the decoder would take a second time.
fn digits(text: &str) -> Option<&str> {
    text.strip_prefix("0x").filter(|digits| !digits.starts_with("0x"))
}

impl Engine {
    /// The JSON-RPC response to `reads` of at most `limit` bytes, made until `until` with at most `gas_cap` gas a
    /// call; None if that is not enough, or a call fails.
    pub fn answer_plain(
        &self,
        reads: &PlainReads,
        gas_cap: u64,
        until: Instant,
        limit: usize,
    ) -> Result<Option<Vec<u8>>> {
        let around = self.view(At::Pending)?;
        let spec = self.spec()?;
        let mut answer = Vec::with_capacity(128 * reads.count() + 2);
        for (id, read) in &reads.calls {
            answer.push(if answer.is_empty() { b'[' } else { b',' });
            answer.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
            answer.extend_from_slice(id.as_bytes());
            answer.extend_from_slice(b",\"result\":\"");
            let Some(result) = result(&around, read, spec, gas_cap, until)? else { return Ok(None) };
            answer.extend_from_slice(result.as_bytes());
            answer.extend_from_slice(b"\"}");
            if answer.len() > limit {
                return Ok(None);
            }
        }
        if reads.batch {
            answer.push(b']');
        } else {
            answer.remove(0);
        }
        Ok(Some(answer))
    }
}

fn result(
    around: &(View, BlockEnv, SpecId),
    read: &Read,
    spec: &Spec,
    gas_cap: u64,
    until: Instant,
) -> Result<Option<String>> {
    let view = &around.0;
    let account = |owner| -> Result<Account> { Ok(view.account(owner)?.unwrap_or_default()) };
    Ok(Some(match read {
        Read::Balance(owner) => format!("{:#x}", account(owner)?.balance),
        Read::Nonce(owner) => format!("{:#x}", account(owner)?.nonce),
        Read::Code(owner) => match account(owner)?.code_hash {
            KECCAK256_EMPTY => "0x".into(),
            hash => hex::encode_prefixed(view.code(&hash)?.original_bytes()),
        },
        Read::Slot(owner, slot) => hex::encode_prefixed(view.slot(owner, slot)?.to_be_bytes::<32>()),
        Read::Call { sender, to, data } => {
            let request = CallRequest { sender: *sender, to: Some(*to), data: data.clone(), ..CallRequest::default() };
            let outcome = brief_call(request, around.clone(), spec, gas_cap, until)?;
            let Some(outcome) = outcome.filter(|outcome| outcome.succeeded()) else { return Ok(None) };
            hex::encode_prefixed(&outcome.output)
        }
    }))
}
