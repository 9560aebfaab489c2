//! Transactions of types 0 to 4 (EIP-155, 2930, 1559, 4844, 7702), decoded from wire bytes.
//!
//! A value exists only if the bytes were canonical. The twin in Python is `sequencer.core.transaction`, which
//! draws the formats; the two must refuse the same inputs.

use alloy_primitives::utils::keccak256_uncached;
use alloy_primitives::{Address, B256, Bytes, U256};

use super::rlp::{self, Malformed, Reader};
use crate::error::{Refusal, reason};
use crate::keccak;

/// An address and the storage keys declared for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessListEntry {
    pub address: Address,
    pub storage_keys: Vec<B256>,
}

/// A signed wish of an account to run another's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    pub chain_id: U256,
    pub address: Address,
    pub nonce: u64,
    pub y_parity: u8,
    pub r: U256,
    pub s: U256,
}

/// A transaction as its bytes say it. Amounts in wei, gas in gas.
///
/// Legacy and type-1 transactions carry their gas price in both fee fields.
#[derive(Debug, Clone)]
pub struct Transaction {
    pub raw: Bytes,
    pub hash: B256,
    pub signing_hash: B256,
    pub kind: u8,
    pub chain_id: Option<U256>,
    pub nonce: u64,
    pub max_priority_fee: U256,
    pub max_fee: U256,
    pub gas_limit: u64,
    pub to: Option<Address>,
    pub value: U256,
    pub data: Bytes,
    pub access_list: Vec<AccessListEntry>,
    pub authorizations: Vec<Authorization>,
    pub blob_hashes: Vec<B256>,
    pub max_fee_per_blob_gas: U256,
    pub y_parity: u8,
    pub r: U256,
    pub s: U256,
}

impl Transaction {
    /// The transaction that `raw` encodes (EIP-2718), blob transactions without their sidecar.
    pub fn decode(raw: Bytes) -> Result<Self, Refusal> {
        let unhashed = Unhashed::decode(raw)?;
        let (hash, signing_hash) =
            (keccak256_uncached(&unhashed.transaction.raw), keccak256_uncached(&unhashed.preimage));
        Ok(unhashed.hashed(hash, signing_hash))
    }

    /// The most that the transaction can take from its sender; None beyond 256 bits.
    pub fn cost(&self) -> Option<U256> {
        let gas = self.max_fee.checked_mul(U256::from(self.gas_limit))?;
        let blobs = U256::from(self.blob_hashes.len() as u64 * BLOB_GAS);
        gas.checked_add(self.value)?.checked_add(self.max_fee_per_blob_gas.checked_mul(blobs)?)
    }
}

/// A transaction that has still to be given its two hashes, so that those of many can be made together.
#[derive(Debug)]
pub struct Unhashed {
    transaction: Transaction,
    /// What was signed.
    preimage: Vec<u8>,
}

impl Unhashed {
    /// The transaction that `raw` encodes (EIP-2718), blob transactions without their sidecar.
    pub fn decode(raw: Bytes) -> Result<Self, Refusal> {
        match raw.first() {
            None => Err(Refusal::malformed("empty input")),
            Some(0xc0..) => Self::legacy(raw).map_err(Refusal::malformed),
            Some(1..=4) => Self::typed(raw).map_err(Refusal::malformed),
            Some(_) => Err(Refusal::new(reason::TYPE_NOT_SUPPORTED, "")),
        }
    }

    /// All but `hash` and `signing_hash`, which are zero.
    pub fn fields(&self) -> &Transaction {
        &self.transaction
    }

    /// The transactions with their hashes.
    pub fn hash_all(unhashed: Vec<Self>) -> impl Iterator<Item = Transaction> {
        let messages: Vec<&[u8]> = unhashed.iter().flat_map(|one| [&one.transaction.raw[..], &one.preimage]).collect();
        let hashes = keccak::digests(&messages);
        unhashed.into_iter().enumerate().map(move |(at, one)| one.hashed(hashes[2 * at], hashes[2 * at + 1]))
    }

    fn hashed(self, hash: B256, signing_hash: B256) -> Transaction {
        Transaction { hash, signing_hash, ..self.transaction }
    }

    fn legacy(raw: Bytes) -> Result<Self, Malformed> {
        let mut items = rlp::sole_list(&raw)?;
        let whole = items.rest();
        let nonce = items.u64()?;
        let gas_price = items.u256()?;
        let gas_limit = items.u64()?;
        let to = recipient(&mut items)?;
        let value = items.u256()?;
        let data = raw.slice_ref(items.bytes()?);
        let signed = &whole[..whole.len() - items.rest().len()];
        let v = items.u256()?;
        let (r, s) = (items.u256()?, items.u256()?);
        items.end()?;
        let mut payload = signed.to_vec();
        let (chain_id, y_parity) = if v == U256::from(27) || v == U256::from(28) {
            (None, v.byte(0) - 27)
        } else if v >= U256::from(35) {
            let id: U256 = (v - U256::from(35)) >> 1;
            rlp::put_uint(&mut payload, id);
            payload.extend_from_slice(&[0x80, 0x80]);
            (Some(id), (v - U256::from(35)).byte(0) & 1)
        } else {
            return Err("invalid transaction v, r, s values");
        };
        let transaction = Transaction {
            hash: B256::ZERO,
            signing_hash: B256::ZERO,
            kind: 0,
            chain_id,
            nonce,
            max_priority_fee: gas_price,
            max_fee: gas_price,
            gas_limit,
            to,
            value,
            data,
            access_list: Vec::new(),
            authorizations: Vec::new(),
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: U256::ZERO,
            y_parity,
            r,
            s,
            raw,
        };
        Ok(Self { transaction, preimage: rlp::list(&payload) })
    }

    fn typed(raw: Bytes) -> Result<Self, Malformed> {
        let kind = raw[0];
        let mut items = rlp::sole_list(&raw[1..])?;
        let whole = items.rest();
        let chain_id = items.u256()?;
        let nonce = items.u64()?;
        let max_priority_fee = items.u256()?;
        let max_fee = if kind == 1 { max_priority_fee } else { items.u256()? };
        let gas_limit = items.u64()?;
        let to = recipient(&mut items)?;
        if to.is_none() && kind >= 3 {
            return Err("rlp: input string too short for common.Address");
        }
        let value = items.u256()?;
        let data = raw.slice_ref(items.bytes()?);
        let access_list = each(&mut items, access_list_entry)?;
        let (max_fee_per_blob_gas, blob_hashes) =
            if kind == 3 { (items.u256()?, each(&mut items, Reader::hash)?) } else { (U256::ZERO, Vec::new()) };
        let authorizations = if kind == 4 { each(&mut items, authorization)? } else { Vec::new() };
        let signed = &whole[..whole.len() - items.rest().len()];
        let y_parity: u8 = items.u256()?.try_into().map_err(|_| "rlp: integer larger than 8 bits")?;
        let (r, s) = (items.u256()?, items.u256()?);
        items.end()?;
        let mut preimage = Vec::with_capacity(signed.len() + 10);
        preimage.push(kind);
        rlp::put_list(&mut preimage, signed);
        let transaction = Transaction {
            hash: B256::ZERO,
            signing_hash: B256::ZERO,
            kind,
            chain_id: Some(chain_id),
            nonce,
            max_priority_fee,
            max_fee,
            gas_limit,
            to,
            value,
            data,
            access_list,
            authorizations,
            blob_hashes,
            max_fee_per_blob_gas,
            y_parity,
            r,
            s,
            raw,
        };
        Ok(Self { transaction, preimage })
    }
}

/// Gas of one blob (EIP-4844).
pub const BLOB_GAS: u64 = 1 << 17;

fn recipient(items: &mut Reader<'_>) -> Result<Option<Address>, Malformed> {
    let bytes = items.bytes()?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Address::try_from(bytes).map(Some).map_err(|_| "rlp: expected 20 bytes")
}

fn each<'a, T>(
    items: &mut Reader<'a>,
    parse: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut list = items.list()?;
    let mut parts = Vec::new();
    while !list.is_empty() {
        parts.push(parse(&mut list)?);
    }
    Ok(parts)
}

fn access_list_entry(items: &mut Reader<'_>) -> Result<AccessListEntry, Malformed> {
    let mut entry = items.list()?;
    let address = entry.address()?;
    let storage_keys = each(&mut entry, Reader::hash)?;
    entry.end()?;
    Ok(AccessListEntry { address, storage_keys })
}

fn authorization(items: &mut Reader<'_>) -> Result<Authorization, Malformed> {
    let mut entry = items.list()?;
    let parsed = Authorization {
        chain_id: entry.u256()?,
        address: entry.address()?,
        nonce: entry.u64()?,
        y_parity: entry.u256()?.try_into().map_err(|_| "rlp: integer larger than 8 bits")?,
        r: entry.u256()?,
        s: entry.u256()?,
    };
    entry.end()?;
    Ok(parsed)
}
