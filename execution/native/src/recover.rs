//! From raw bytes to a transaction whose sender is known: entry rules first, then the signature.
//!
//! Many at a time, on as many cores as there are. Recovering a key costs some forty microseconds, every other
//! check less than one, so a transaction that breaks a rule is refused before its signature is looked at. The
//! order and the words are those of `mempool.validation`, the twin in Python.

use std::sync::{Arc, LazyLock};

use alloy_primitives::{Address, B256, Bytes, U256, b256, keccak256};
use rayon::prelude::*;
use revm::primitives::hardfork::SpecId;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1, VerifyOnly};

use crate::codec::rlp;
use crate::codec::transaction::{Authorization, Transaction};
use crate::error::{Refusal, reason};

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
/// Below this many, handing work to the other cores costs more than it saves; without other cores it always does.
const PARALLEL_FROM: usize = 4;

/// One answer for each of `raws`, in order.
pub fn recover_all(raws: Vec<Bytes>, rules: &EntryRules) -> Vec<Result<Arc<Recovered>, Refusal>> {
    let one = |raw: Bytes| enter(raw, rules).map(Arc::new);
    if raws.len() < PARALLEL_FROM || rayon::current_num_threads() == 1 {
        return raws.into_iter().map(one).collect();
    }
    raws.into_par_iter().with_min_len(2).map(one).collect()
}

/// A transaction that keeps the entry rules, with its sender.
pub fn enter(raw: Bytes, rules: &EntryRules) -> Result<Recovered, Refusal> {
    check_envelope(&raw, rules)?;
    let transaction = Transaction::decode(raw)?;
    check_network(&transaction, rules)?;
    check_limits(&transaction, rules)?;
    recover(transaction)
}

/// `transaction` with its sender and the signers of its authorizations.
pub fn recover(transaction: Transaction) -> Result<Recovered, Refusal> {
    let sender = recover_address(transaction.signing_hash, transaction.r, transaction.s, transaction.y_parity)
        .map_err(|detail| Refusal::new(reason::INVALID_SENDER, detail))?;
    Ok(with_sender(transaction, sender))
}

/// A transaction whose sender someone else has recovered already.
pub fn with_sender(transaction: Transaction, sender: Address) -> Recovered {
    let authorities = transaction.authorizations.iter().map(authority).collect();
    Recovered { transaction, sender, authorities }
}

/// The address whose key signed `digest`; only low s is accepted (EIP-2).
pub fn recover_address(digest: B256, r: U256, s: U256, y_parity: u8) -> Result<Address, &'static str> {
    const INVALID: &str = "invalid transaction v, r, s values";
    static CONTEXT: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    if r.is_zero() || s.is_zero() || s > HALF_ORDER || y_parity > 1 {
        return Err(INVALID);
    }
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&r.to_be_bytes::<32>());
    compact[32..].copy_from_slice(&s.to_be_bytes::<32>());
    let id = if y_parity == 0 { RecoveryId::Zero } else { RecoveryId::One };
    let signature = RecoverableSignature::from_compact(&compact, id).map_err(|_| INVALID)?;
    let key = CONTEXT.recover_ecdsa(Message::from_digest(digest.0), &signature).map_err(|_| "recovery failed")?;
    Ok(Address::from_slice(&keccak256(&key.serialize_uncompressed()[1..])[12..]))
}

const HALF_ORDER: U256 =
    U256::from_be_bytes(b256!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0").0);

/// Who signed an authorization: `keccak256(0x05 || rlp([chain_id, address, nonce]))`.
pub fn authority(authorization: &Authorization) -> Option<Address> {
    let mut payload = Vec::with_capacity(64);
    rlp::put_uint(&mut payload, authorization.chain_id);
    rlp::put_bytes(&mut payload, authorization.address.as_slice());
    rlp::put_u64(&mut payload, authorization.nonce);
    let mut preimage = vec![0x05];
    rlp::put_list(&mut preimage, &payload);
    recover_address(keccak256(preimage), authorization.r, authorization.s, authorization.y_parity).ok()
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
