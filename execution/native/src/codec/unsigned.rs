//! Transactions that nobody signed: zeros stand where the signature would.

use alloy_primitives::{B256, Bytes, U256, keccak256};

use super::rlp;
use super::transaction::{AccessListEntry, Authorization, Transaction};

impl Transaction {
    /// The same transaction with its encoding and hash, as it is without a signature.
    pub fn unsigned(mut self) -> Self {
        let raw: Bytes = encode(&self).into();
        self.hash = keccak256(&raw);
        self.signing_hash = B256::ZERO;
        self.raw = raw;
        self
    }
}

fn encode(transaction: &Transaction) -> Vec<u8> {
    let mut body = Vec::with_capacity(transaction.data.len() + 128);
    if transaction.kind != 0 {
        rlp::put_uint(&mut body, transaction.chain_id.unwrap_or_default());
    }
    rlp::put_u64(&mut body, transaction.nonce);
    if transaction.kind >= 2 {
        rlp::put_uint(&mut body, transaction.max_priority_fee);
    }
    rlp::put_uint(&mut body, transaction.max_fee);
    rlp::put_u64(&mut body, transaction.gas_limit);
    rlp::put_bytes(&mut body, transaction.to.as_ref().map_or(&[][..], |address| address.as_slice()));
    rlp::put_uint(&mut body, transaction.value);
    rlp::put_bytes(&mut body, &transaction.data);
    if transaction.kind != 0 {
        put_each(&mut body, &transaction.access_list, put_access);
    }
    if transaction.kind == 4 {
        put_each(&mut body, &transaction.authorizations, put_authorization);
    }
    for _ in 0..3 {
        rlp::put_uint(&mut body, U256::ZERO);
    }
    let mut raw = if transaction.kind == 0 { Vec::new() } else { vec![transaction.kind] };
    rlp::put_list(&mut raw, &body);
    raw
}

fn put_each<T>(out: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    let mut payload = Vec::new();
    for item in items {
        let mut entry = Vec::new();
        put(&mut entry, item);
        rlp::put_list(&mut payload, &entry);
    }
    rlp::put_list(out, &payload);
}

fn put_access(out: &mut Vec<u8>, entry: &AccessListEntry) {
    rlp::put_bytes(out, entry.address.as_slice());
    let mut keys = Vec::new();
    for key in &entry.storage_keys {
        rlp::put_bytes(&mut keys, key.as_slice());
    }
    rlp::put_list(out, &keys);
}

fn put_authorization(out: &mut Vec<u8>, wish: &Authorization) {
    rlp::put_uint(out, wish.chain_id);
    rlp::put_bytes(out, wish.address.as_slice());
    rlp::put_u64(out, wish.nonce);
    rlp::put_u64(out, wish.y_parity.into());
    rlp::put_uint(out, wish.r);
    rlp::put_uint(out, wish.s);
}
