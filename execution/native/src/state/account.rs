//! One account as the state has it, and its row in the store.
//!
//! ```text
//! row = flags(1: code 1, storage 2) || size(1) nonce || size(1) balance || code hash(32)? || storage root(32)?
//!       || address(20)
//! ```
//! Integers are minimal and big-endian. The address is there because the row's key is only its hash.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};

use crate::codec::header::EMPTY_ROOT;

/// An account that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub nonce: u64,
    pub balance: U256,
    pub code_hash: B256,
    pub storage_root: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY, storage_root: EMPTY_ROOT }
    }
}

const WITH_CODE: u8 = 1;
const WITH_STORAGE: u8 = 2;

impl Account {
    /// Neither nonce nor balance nor code: such an account does not exist (EIP-161).
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == KECCAK256_EMPTY
    }

    pub fn to_row(self, address: &Address) -> Vec<u8> {
        let mut row = Vec::with_capacity(64);
        let with_code = self.code_hash != KECCAK256_EMPTY;
        let with_storage = self.storage_root != EMPTY_ROOT;
        row.push(if with_code { WITH_CODE } else { 0 } | if with_storage { WITH_STORAGE } else { 0 });
        put_integer(&mut row, U256::from(self.nonce));
        put_integer(&mut row, self.balance);
        if with_code {
            row.extend_from_slice(self.code_hash.as_slice());
        }
        if with_storage {
            row.extend_from_slice(self.storage_root.as_slice());
        }
        row.extend_from_slice(address.as_slice());
        row
    }

    /// None if the row is damaged.
    pub fn of_row(row: &[u8]) -> Option<(Address, Self)> {
        let (&flags, mut rest) = row.split_first()?;
        let nonce = take_integer(&mut rest)?;
        let balance = take_integer(&mut rest)?;
        let code_hash = if flags & WITH_CODE != 0 { take_hash(&mut rest)? } else { KECCAK256_EMPTY };
        let storage_root = if flags & WITH_STORAGE != 0 { take_hash(&mut rest)? } else { EMPTY_ROOT };
        let address = Address::try_from(rest).ok()?;
        Some((address, Self { nonce: nonce.try_into().ok()?, balance, code_hash, storage_root }))
    }
}

/// Appends an integer behind its size.
pub fn put_integer(row: &mut Vec<u8>, value: U256) {
    let bytes = value.to_be_bytes::<32>();
    let minimal = &bytes[value.leading_zeros() / 8..];
    row.push(minimal.len() as u8);
    row.extend_from_slice(minimal);
}

/// Reads what `put_integer` wrote.
pub fn take_integer(rest: &mut &[u8]) -> Option<U256> {
    let (&size, others) = rest.split_first()?;
    let (bytes, others) = others.split_at_checked(size as usize)?;
    *rest = others;
    U256::try_from_be_slice(bytes)
}

fn take_hash(rest: &mut &[u8]) -> Option<B256> {
    let (bytes, others) = rest.split_at_checked(32)?;
    *rest = others;
    Some(B256::from_slice(bytes))
}
