//! Accounts of the newest state in a table of fixed size, which saves executing a transfer the look-ups in the store.
//!
//! ```text
//! entry = address(5 words) || nonce(1) || balance(3, lowest first), all zero if the place is free
//! ```
//! It holds accounts without code and storage, which nearly all are. An account has eight places, together in memory, and
//! takes that of another when none is free: what is not here is in the store. No memory is taken for what was never used.

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};

use super::account::Account;
use crate::codec::header::EMPTY_ROOT;

const WORDS: usize = 9;
const PLACES: usize = 8;

/// A cache: it may have forgotten whatever was put.
#[derive(Debug, Default)]
pub struct KnownAccounts {
    words: Vec<u32>,
    /// Whose place is taken next.
    victim: usize,
}

impl KnownAccounts {
    /// Room for `accounts`, 36 bytes each.
    pub fn with_room(accounts: usize) -> Self {
        Self { words: vec![0; accounts.div_ceil(PLACES) * PLACES * WORDS], victim: 0 }
    }

    pub fn get(&self, address: &Address) -> Option<Account> {
        let key = words_of(address);
        let entry = self.places(&key)?.find(|entry| entry[..5] == key && !is_free(entry))?;
        let balance = U256::from_limbs([u64::from(entry[6]) | u64::from(entry[7]) << 32, u64::from(entry[8]), 0, 0]);
        Some(Account { nonce: entry[5].into(), balance, ..Account::default() })
    }

    /// False if the account is of those that are not held; then nothing is known of it any more.
    pub fn put(&mut self, address: &Address, account: Option<&Account>) -> bool {
        let key = words_of(address);
        let value = account.and_then(value_of);
        let Some(set) = self.set(&key) else { return false };
        let entries = self.words[set].chunks_exact_mut(WORDS);
        let mut free = None;
        for entry in entries {
            if is_free(entry) {
                free = free.or(Some(entry));
            } else if entry[..5] == key {
                match value {
                    Some(value) => entry[5..].copy_from_slice(&value),
                    None => entry.fill(0),
                }
                return value.is_some();
            }
        }
        let Some(value) = value else { return false };
        if let Some(entry) = free {
            entry[..5].copy_from_slice(&key);
            entry[5..].copy_from_slice(&value);
            return true;
        }
        self.replace(&key, &value);
        true
    }

    pub fn forget(&mut self, address: &Address) {
        self.put(address, None);
    }

    fn replace(&mut self, key: &[u32; 5], value: &[u32; 4]) {
        self.victim = (self.victim + 1) % PLACES;
        if let Some(set) = self.set(key) {
            let entry = &mut self.words[set][self.victim * WORDS..][..WORDS];
            entry[..5].copy_from_slice(key);
            entry[5..].copy_from_slice(value);
        }
    }

    fn places(&self, key: &[u32; 5]) -> Option<std::slice::ChunksExact<'_, u32>> {
        Some(self.words[self.set(key)?].chunks_exact(WORDS))
    }

    /// Where the places of an address are; None in a table without room.
    fn set(&self, key: &[u32; 5]) -> Option<std::ops::Range<usize>> {
        let sets = self.words.len() / (PLACES * WORDS);
        if sets == 0 {
            return None;
        }
        let mixed = key.iter().fold(0u64, |mixed, word| (mixed ^ u64::from(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let start = (((mixed >> 32) as usize * sets) >> 32) * PLACES * WORDS;
        Some(start..start + PLACES * WORDS)
    }
}

/// An account that is held has a nonce or a balance.
fn is_free(entry: &[u32]) -> bool {
    entry[5..] == [0; 4]
}

fn words_of(address: &Address) -> [u32; 5] {
    let mut words = [0; 5];
    for (word, bytes) in words.iter_mut().zip(address.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    words
}

/// Nonce and balance of an account that has nothing else, and of these something that fits.
fn value_of(account: &Account) -> Option<[u32; 4]> {
    let [low, high, 0, 0] = *account.balance.as_limbs() else { return None };
    let value = [u32::try_from(account.nonce).ok()?, low as u32, (low >> 32) as u32, u32::try_from(high).ok()?];
    let alone = account.code_hash == KECCAK256_EMPTY && account.storage_root == EMPTY_ROOT;
    (alone && value != [0; 4]).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn account(nonce: u64, balance: u128) -> Account {
        Account { nonce, balance: U256::from(balance), ..Account::default() }
    }

    fn address(number: u64) -> Address {
        Address::left_padding_from(&number.to_be_bytes())
    }

    #[test]
    fn what_is_found_is_what_was_put_last() {
        let mut known = KnownAccounts::with_room(64);
        let mut last: HashMap<Address, Option<Account>> = HashMap::new();
        let mut found = 0;
        for turn in 0..20_000u64 {
            let address = address(turn * 31 % 97);
            let new = (!turn.is_multiple_of(5)).then(|| account(turn % 7, u128::from(turn) << (turn % 60)));
            let held = known.put(&address, new.as_ref());
            assert_eq!(held, new.is_some_and(|new| !new.is_empty()));
            last.insert(address, if held { new } else { None });
            for (address, account) in &last {
                let answer = known.get(address);
                assert!(answer.is_none() || answer == *account);
                found += usize::from(answer.is_some());
            }
        }
        assert!(found > 20_000 * 40);
    }

    #[test]
    fn an_account_with_anything_else_is_not_held_and_replaces_what_was() {
        let plain = account(1, 2);
        let others = [
            Account { code_hash: KECCAK256_EMPTY ^ EMPTY_ROOT, ..plain },
            Account { storage_root: KECCAK256_EMPTY, ..plain },
            Account { nonce: 1 << 32, ..plain },
            Account { balance: U256::from(1u128 << 96), ..plain },
            Account::default(),
        ];
        for other in others {
            let mut known = KnownAccounts::with_room(8);
            assert!(known.put(&address(1), Some(&plain)));
            assert_eq!(known.get(&address(1)), Some(plain));
            assert!(!known.put(&address(1), Some(&other)));
            assert_eq!(known.get(&address(1)), None);
        }
        let largest = Account { nonce: u32::MAX.into(), balance: U256::from((1u128 << 96) - 1), ..plain };
        let mut known = KnownAccounts::with_room(8);
        assert!(known.put(&address(1), Some(&largest)));
        assert_eq!(known.get(&address(1)), Some(largest));
        known.forget(&address(1));
        assert_eq!(known.get(&address(1)), None);
    }

    #[test]
    fn without_room_nothing_is_held() {
        let mut known = KnownAccounts::default();
        assert!(!known.put(&address(1), Some(&account(1, 1))));
        assert_eq!(known.get(&address(1)), None);
    }
}
