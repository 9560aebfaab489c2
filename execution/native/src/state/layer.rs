//! What a run of transactions changed: the state above some older state.

use std::sync::Arc;

use alloy_primitives::map::{AddressMap, AddressSet, B256Map, HashMap, U256Map};
use alloy_primitives::{Address, B256, U256, keccak256};
use revm::bytecode::Bytecode;

use super::account::Account;
use crate::trie::{AccountChange, Change, Changes, Path};

/// New values only. An account whose storage changed is always among the accounts.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    pub accounts: AddressMap<Option<Account>>,
    /// Accounts that the state below does not have.
    pub created: AddressSet,
    pub slots: AddressMap<U256Map<U256>>,
    pub codes: B256Map<Bytecode>,
}

impl Layer {
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// How much there is to merge.
    pub fn weight(&self) -> usize {
        self.accounts.len() + self.slots.values().map(HashMap::len).sum::<usize>()
    }

    pub fn slot(&self, address: &Address, slot: &U256) -> Option<U256> {
        self.slots.get(address)?.get(slot).copied()
    }

    /// This layer with `newer` on top.
    pub fn absorb(&mut self, newer: &Layer) {
        let created = newer.created.iter().filter(|address| !self.accounts.contains_key(*address)).copied();
        self.created.extend(created);
        self.accounts.extend(newer.accounts.iter().map(|(address, account)| (*address, *account)));
        for (address, slots) in &newer.slots {
            self.slots.entry(*address).or_default().extend(slots.iter().map(|(slot, value)| (*slot, *value)));
        }
        self.codes.extend(newer.codes.iter().map(|(hash, code)| (*hash, code.clone())));
    }

    /// The same as changes of the trie.
    pub fn changes(&self) -> Changes {
        let mut changes: Changes = self
            .accounts
            .iter()
            .map(|(address, account)| {
                let change = match account {
                    None => Change::Delete,
                    Some(account) => Change::Account(Box::new(AccountChange {
                        nonce: account.nonce,
                        balance: account.balance,
                        code_hash: account.code_hash,
                        storage_root: (!self.created.contains(address)).then_some(account.storage_root),
                        slots: self.slots.get(address).map(slot_changes).unwrap_or_default(),
                    })),
                };
                (Path::of_bytes(keccak256(address).as_slice()), change)
            })
            .collect();
        changes.sort_unstable_by_key(|(path, _)| *path);
        changes
    }
}

fn slot_changes(slots: &U256Map<U256>) -> Changes {
    let mut changes: Changes = slots.iter().map(|(slot, value)| (slot_path(slot), slot_change(*value))).collect();
    changes.sort_unstable_by_key(|(path, _)| *path);
    changes
}

fn slot_path(slot: &U256) -> Path {
    Path::of_bytes(slot_key(slot).as_slice())
}

/// The key of a slot in its account's storage trie.
pub fn slot_key(slot: &U256) -> B256 {
    keccak256(slot.to_be_bytes::<32>())
}

/// A slot's value as a change of the storage trie, where zero is absence.
pub fn slot_change(value: U256) -> Change {
    if value.is_zero() {
        return Change::Delete;
    }
    let mut encoded = Vec::with_capacity(33);
    crate::codec::rlp::put_uint(&mut encoded, value);
    Change::Put(encoded)
}

/// Adds `newest` on top of `layers`, merging neighbours of like weight, so that a block of any number of applies
/// has at most a logarithm of layers and the merging costs a logarithm a change.
pub fn stack(layers: &mut Vec<Arc<Layer>>, newest: Layer) {
    let mut top = newest;
    while let Some(below) = layers.last() {
        if below.weight() > 2 * top.weight() {
            break;
        }
        let mut merged = (**below).clone();
        merged.absorb(&top);
        layers.pop();
        top = merged;
    }
    layers.push(Arc::new(top));
}
