//! From raw bytes to a transaction whose sender is known: entry rules first, then the signature.
//!
//! Many at a time, on as many cores as there are. Recovering a key costs some thirty microseconds, or six in a group
//! of eight, every other check less than one, so a transaction that breaks a rule is refused before its signature is
//! looked at. The order and the words are those of `mempool.validation`, the twin in Python.

use std::sync::Arc;

use alloy_primitives::utils::keccak256_uncached;
use alloy_primitives::{Address, Bytes, U256};
use rayon::prelude::*;
use revm::primitives::hardfork::SpecId;

use crate::codec::rlp;
use crate::codec::transaction::{Authorization, Transaction, Unhashed};
use crate::error::{Refusal, reason};
use crate::lanes::{self, Signature};
use crate::signer::{signature, signer, signers};

/// A transaction and who signed it.
#[derive(Debug)]
pub struct Recovered {
    pub transaction: Transaction,
    pub sender: Address,
    /// Who signed each authorization, None where the signature is worthless (EIP-7702).
    pub authorities: Vec<Option<Address>>,
}

/// What a transaction must keep regardless of any account's state. Fees in wei per gas.
#[derive(Debug, Clone)]
pub struct EntryRules {
    pub chain_id: U256,
    pub fork: SpecId,
    pub gas_limit: u64,
    pub minimum_fee: U256,
    pub minimum_tip: U256,
    pub size_limit: usize,
}

const INIT_CODE_LIMIT: usize = 49_152;
const TRANSACTION_GAS_LIMIT_CAP: u64 = 1 << 24;

/// One answer for each of `raws`, in order.
pub fn recover_all(raws: &[Bytes], rules: &EntryRules) -> Vec<Result<Arc<Recovered>, Refusal>> {
    // Some two hundred microseconds of work: handing less to another core costs more than it saves.
    let share = if lanes::available() { 32 } else { 4 };
    if raws.len() <= share || rayon::current_num_threads() == 1 {
        return recover_share(raws, rules);
    }
    raws.par_chunks(share).flat_map_iter(|share| recover_share(share, rules)).collect()
}

fn recover_share(raws: &[Bytes], rules: &EntryRules) -> Vec<Result<Arc<Recovered>, Refusal>> {
    let mut unhashed = Vec::with_capacity(raws.len());
    let checked: Vec<_> = raws.iter().map(|raw| check(raw.clone(), rules).map(|valid| unhashed.push(valid))).collect();
    let mut transactions = Unhashed::hash_all(unhashed);
    let entered: Vec<_> = checked
        .into_iter()
        .map(|checked| checked.and_then(|()| signed(transactions.next().expect("one for each that was checked"))))
        .collect();
    let signatures: Vec<_> = entered.iter().flatten().map(|(_, signature)| *signature).collect();
    let mut signers = signers(&signatures).into_iter();
    let recovered = entered.into_iter().map(|entered| {
        let (transaction, _) = entered?;
        let sender = signers.next().expect("one answer for each signature").map_err(invalid_sender)?;
        Ok(Arc::new(with_sender(transaction, sender)))
    });
    recovered.collect()
}

/// `transaction` with its sender and the signers of its authorizations.
pub fn recover(transaction: Transaction) -> Result<Recovered, Refusal> {
    let (transaction, signature) = signed(transaction)?;
    let sender = signer(&signature).map_err(invalid_sender)?;
    Ok(with_sender(transaction, sender))
}

/// A transaction whose sender someone else has recovered already.
pub fn with_sender(transaction: Transaction, sender: Address) -> Recovered {
    let authorities = authorities(&transaction.authorizations);
    Recovered { transaction, sender, authorities }
}

/// Who signed each authorization, None where the signature is worthless.
pub fn authorities(authorizations: &[Authorization]) -> Vec<Option<Address>> {
    let signatures: Vec<_> = authorizations.iter().map(|authorization| consent(authorization).ok()).collect();
    let valid: Vec<_> = signatures.iter().flatten().copied().collect();
    let mut signers = signers(&valid).into_iter();
    signatures.iter().map(|signature| signature.and_then(|_| signers.next()?.ok())).collect()
}

/// The signature of `keccak256(0x05 || rlp([chain_id, address, nonce]))` (EIP-7702).
fn consent(authorization: &Authorization) -> Result<Signature, &'static str> {
    let mut payload = Vec::with_capacity(64);
    rlp::put_uint(&mut payload, authorization.chain_id);
    rlp::put_bytes(&mut payload, authorization.address.as_slice());
    rlp::put_u64(&mut payload, authorization.nonce);
    let mut preimage = vec![0x05];
    rlp::put_list(&mut preimage, &payload);
    signature(keccak256_uncached(preimage), authorization.r, authorization.s, authorization.y_parity)
}

fn signed(transaction: Transaction) -> Result<(Transaction, Signature), Refusal> {
    let signature = signature(transaction.signing_hash, transaction.r, transaction.s, transaction.y_parity);
    Ok((transaction, signature.map_err(invalid_sender)?))
}

fn invalid_sender(detail: &'static str) -> Refusal {
    Refusal::new(reason::INVALID_SENDER, detail)
}

/// A transaction that keeps every rule that needs no signature.
fn check(raw: Bytes, rules: &EntryRules) -> Result<Unhashed, Refusal> {
    check_envelope(&raw, rules)?;
    let unhashed = Unhashed::decode(raw)?;
    check_network(unhashed.fields(), rules)?;
    check_limits(unhashed.fields(), rules)?;
    Ok(unhashed)
}

fn check_envelope(raw: &[u8], rules: &EntryRules) -> Result<(), Refusal> {
    if raw.len() > rules.size_limit {
        let detail = format!("transaction size {}, limit {}", raw.len(), rules.size_limit);
        return Err(Refusal::new(reason::OVERSIZED_DATA, detail));
    }
    match raw.first() {
        Some(3) => Err(Refusal::new(reason::TYPE_NOT_SUPPORTED, "")),
        Some(4) if rules.fork < SpecId::PRAGUE => Err(Refusal::new(reason::TYPE_NOT_SUPPORTED, "")),
        _ => Ok(()),
    }
}

fn check_network(transaction: &Transaction, rules: &EntryRules) -> Result<(), Refusal> {
    match transaction.chain_id {
        None => Err(Refusal::new(reason::UNPROTECTED, "")),
        Some(id) if id != rules.chain_id => {
            Err(Refusal::new(reason::WRONG_CHAIN, format!("have {id} want {}", rules.chain_id)))
        }
        Some(_) => Ok(()),
    }
}

fn check_limits(transaction: &Transaction, rules: &EntryRules) -> Result<(), Refusal> {
    let size = transaction.data.len();
    if transaction.to.is_none() && size > INIT_CODE_LIMIT {
        let detail = format!("code size {size}, limit {INIT_CODE_LIMIT}");
        return Err(Refusal::new(reason::INIT_CODE_TOO_LARGE, detail));
    }
    if transaction.nonce == u64::MAX {
        return Err(Refusal::new(reason::NONCE_MAX, ""));
    }
    check_fees(transaction, rules)?;
    check_gas(transaction, rules)?;
    if transaction.kind == 4 && transaction.authorizations.is_empty() {
        return Err(Refusal::new(reason::EMPTY_AUTHORIZATIONS, ""));
    }
    Ok(())
}

fn check_fees(transaction: &Transaction, rules: &EntryRules) -> Result<(), Refusal> {
    let (tip, fee) = (transaction.max_priority_fee, transaction.max_fee);
    if tip > fee {
        return Err(Refusal::new(reason::TIP_ABOVE_FEE_CAP, ""));
    }
    if fee.checked_mul(U256::from(transaction.gas_limit)).is_none() {
        return Err(Refusal::new(reason::INSUFFICIENT_FUNDS, "required balance exceeds 256 bits"));
    }
    if fee < rules.minimum_fee {
        let detail = format!("gas fee cap {fee}, minimum needed {}", rules.minimum_fee);
        return Err(Refusal::new(reason::UNDERPRICED, detail));
    }
    if tip < rules.minimum_tip {
        let detail = format!("gas tip cap {tip}, minimum needed {}", rules.minimum_tip);
        return Err(Refusal::new(reason::UNDERPRICED, detail));
    }
    Ok(())
}

fn check_gas(transaction: &Transaction, rules: &EntryRules) -> Result<(), Refusal> {
    let limit = transaction.gas_limit;
    let needed = intrinsic_gas(transaction);
    if limit < needed {
        return Err(Refusal::new(reason::INTRINSIC_GAS, format!("gas {limit}, minimum needed {needed}")));
    }
    if rules.fork >= SpecId::PRAGUE {
        let needed = floor_data_gas(&transaction.data);
        if limit < needed {
            return Err(Refusal::new(reason::FLOOR_DATA_GAS, format!("gas {limit}, minimum needed {needed}")));
        }
    }
    if limit > rules.gas_limit {
        return Err(Refusal::new(reason::GAS_LIMIT, ""));
    }
    if rules.fork >= SpecId::OSAKA && limit > TRANSACTION_GAS_LIMIT_CAP {
        let detail = format!("transaction gas limit too high (cap: {TRANSACTION_GAS_LIMIT_CAP}, tx: {limit})");
        return Err(Refusal::new(reason::GAS_LIMIT, detail));
    }
    Ok(())
}

/// Gas that is spent before the first instruction (EIP-2028, 2930, 3860, 7702).
pub fn intrinsic_gas(transaction: &Transaction) -> u64 {
    let size = transaction.data.len() as u64;
    let zeros = zero_bytes(&transaction.data);
    let creation = if transaction.to.is_none() { 32_000 + size.div_ceil(32) * 2 } else { 0 };
    let listed: u64 = transaction.access_list.iter().map(|entry| 2_400 + 1_900 * entry.storage_keys.len() as u64).sum();
    21_000 + zeros * 4 + (size - zeros) * 16 + creation + listed + 25_000 * transaction.authorizations.len() as u64
}

/// The least that a transaction with this call data pays for (EIP-7623).
pub fn floor_data_gas(data: &[u8]) -> u64 {
    let zeros = zero_bytes(data);
    21_000 + 10 * (zeros + (data.len() as u64 - zeros) * 4)
}

fn zero_bytes(data: &[u8]) -> u64 {
    data.iter().filter(|byte| **byte == 0).count() as u64
}
