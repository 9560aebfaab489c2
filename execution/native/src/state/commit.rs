//! Writing blocks to the store and taking them back, each in one batch with the height.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::account::{Account, put_integer};
use super::store::{Snapshot, Store, StoredGenesis, trie_key};
use super::view::{Sealed, store_slot_key};
use crate::error::Result;
use crate::trie::{Flush, Gone};

/// What a block changed, old and new, under the keys of the rows.
#[derive(Debug, Default)]
pub struct Diff {
    pub accounts: Vec<AccountDiff>,
    pub slots: Vec<SlotDiff>,
    pub codes: Vec<(B256, Bytes)>,
}

#[derive(Debug, Clone, Copy)]
pub struct AccountDiff {
    pub key: B256,
    pub address: Address,
    pub old: Option<Account>,
    pub new: Option<Account>,
}

#[derive(Debug, Clone, Copy)]
pub struct SlotDiff {
    pub key: [u8; 64],
    pub slot: U256,
    pub old: U256,
    pub new: U256,
}

impl Diff {
    /// What `block` changed. Some half a microsecond an account, for which nobody who waits for the block's seal waits.
    pub fn of(block: &Sealed) -> Self {
        let (layer, before) = (&block.layer, &block.before);
        let mut diff = Self { accounts: Vec::with_capacity(layer.accounts.len()), ..Self::default() };
        for (address, new) in &layer.accounts {
            let key = keccak256(address);
            let old = before.accounts.get(address).copied().flatten();
            if old != *new {
                diff.accounts.push(AccountDiff { key, address: *address, old, new: *new });
            }
            for (slot, new) in layer.slots.get(address).into_iter().flatten() {
                let old = before.slots.get(&(*address, *slot)).copied().unwrap_or_default();
                if old != *new {
                    diff.slots.push(SlotDiff { key: store_slot_key(&key, slot), slot: *slot, old, new: *new });
                }
            }
        }
        diff.codes = layer.codes.iter().map(|(hash, code)| (*hash, code.original_bytes())).collect();
        diff
    }

    /// How many accounts and slots.
    pub fn changes(&self) -> usize {
        self.accounts.len() + self.slots.len()
    }
}

/// What brings the stored trie to that of a block: new records, and paths that lost theirs since the trie before.
#[derive(Debug, Default)]
pub struct TrieRows {
    pub flush: Flush,
    pub gone: Gone,
}

/// Writes sealed blocks, each with what it changed, lowest first, and the newest one's trie if it is given.
///
/// Each table's rows in the order of their keys: one finds its place near the one before, where memory is at hand.
pub fn write_blocks(store: &Store, blocks: &[(Arc<Sealed>, Diff)], trie: Option<TrieRows>) -> Result<()> {
    let Some((newest, _)) = blocks.last() else { return Ok(()) };
    let tables = &store.tables;
    let mut batch = store.batch();
    let accounts = in_order(blocks, |diff| &diff.accounts, |change| change.key.as_slice());
    for (number, change) in &accounts {
        let old = change.old.map(|account| account.to_row(&change.address)).unwrap_or_default();
        batch.insert(&tables.account_history, [change.key.as_slice(), number].concat(), old);
    }
    let slots = in_order(blocks, |diff| &diff.slots, |change| &change.key);
    for (number, change) in &slots {
        batch.insert(&tables.slot_history, [&change.key[..], number].concat(), slot_row(change.slot, change.old));
    }
    for (block, diff) in blocks {
        let number = block.header.number.to_be_bytes();
        let mut changes = (diff.accounts.len() as u32).to_be_bytes().to_vec();
        diff.accounts.iter().for_each(|change| changes.extend_from_slice(change.key.as_slice()));
        diff.slots.iter().for_each(|change| changes.extend_from_slice(&change.key));
        for (hash, code) in &diff.codes {
            batch.insert(&tables.codes, hash.as_slice(), &code[..]);
        }
        batch.insert(&tables.changes, number, changes);
        batch.insert(&tables.headers, number, [block.hash.as_slice(), &block.encoded].concat());
    }
    let last = accounts.chunk_by(|(_, one), (_, next)| one.key == next.key).filter_map(<[_]>::last);
    put_accounts(&mut batch, store, last.map(|(_, row)| (row.key, (row.address, row.new))));
    let last = slots.chunk_by(|(_, one), (_, next)| one.key == next.key).filter_map(<[_]>::last);
    put_slots(&mut batch, store, last.map(|(_, row)| (row.key, (row.slot, row.new))));
    if let Some(rows) = trie {
        put_trie(&mut batch, store, rows, newest.header.number);
    }
    batch.insert(&tables.meta, "height", newest.header.number.to_be_bytes());
    Ok(batch.commit()?)
}

/// What all of `blocks` changed in the order of the keys, oldest first for each, with the number of the block.
fn in_order<'a, T>(
    blocks: &'a [(Arc<Sealed>, Diff)],
    rows: impl Fn(&'a Diff) -> &'a [T],
    key: impl Fn(&'a T) -> &'a [u8],
) -> Vec<([u8; 8], &'a T)> {
    let numbered = |(block, diff): &'a (Arc<Sealed>, Diff)| {
        let number = block.header.number.to_be_bytes();
        rows(diff).iter().map(move |row| (number, row))
    };
    let mut all: Vec<_> = blocks.iter().flat_map(numbered).collect();
    all.sort_by_key(|(_, row)| key(row));
    all
}

/// Brings the stored trie up to block `number`, the height.
pub fn write_trie(store: &Store, rows: TrieRows, number: u64) -> Result<()> {
    let mut batch = store.batch();
    put_trie(&mut batch, store, rows, number);
    Ok(batch.commit()?)
}

fn put_accounts(
    batch: &mut fjall::OwnedWriteBatch,
    store: &Store,
    accounts: impl IntoIterator<Item = (B256, (Address, Option<Account>))>,
) {
    for (key, (address, account)) in accounts {
        match account {
            Some(account) => {
                batch.insert(&store.tables.accounts, key.as_slice(), account.to_row(&address));
            }
            None => batch.remove(&store.tables.accounts, key.as_slice()),
        }
    }
}

fn put_slots(
    batch: &mut fjall::OwnedWriteBatch,
    store: &Store,
    slots: impl IntoIterator<Item = ([u8; 64], (U256, U256))>,
) {
    for (key, (slot, value)) in slots {
        if value.is_zero() {
            batch.remove(&store.tables.slots, key.as_slice());
        } else {
            batch.insert(&store.tables.slots, key.as_slice(), slot_row(slot, value));
        }
    }
}

/// A record that is put anew is not gone, whichever block said so.
fn put_trie(batch: &mut fjall::OwnedWriteBatch, store: &Store, trie: TrieRows, number: u64) {
    let TrieRows { flush, gone } = trie;
    let mut rows: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
    for (owner, path) in gone {
        rows.insert(trie_key(&owner, &path), None);
    }
    for (owner, path, record) in flush.puts {
        rows.insert(trie_key(&owner, &path), Some(record));
    }
    for (key, record) in rows {
        match record {
            Some(record) => batch.insert(&store.tables.trie, key, record),
            None => batch.remove(&store.tables.trie, key),
        }
    }
    batch.insert(&store.tables.meta, "trie", number.to_be_bytes());
}

/// A slot's row, empty for zero.
fn slot_row(slot: U256, value: U256) -> Vec<u8> {
    let mut row = Vec::with_capacity(65);
    if !value.is_zero() {
        put_integer(&mut row, value);
        row.extend_from_slice(&slot.to_be_bytes::<32>());
    }
    row
}

/// Writes a part of the state of block 0.
pub fn write_genesis_part(store: &Store, diff: &Diff, flush: Flush) -> Result<()> {
    let mut batch = store.batch();
    put_accounts(&mut batch, store, diff.accounts.iter().map(|row| (row.key, (row.address, row.new))));
    put_slots(&mut batch, store, diff.slots.iter().map(|row| (row.key, (row.slot, row.new))));
    for (hash, code) in &diff.codes {
        batch.insert(&store.tables.codes, hash.as_slice(), &code[..]);
    }
    put_trie(&mut batch, store, TrieRows { flush, gone: Gone::new() }, 0);
    Ok(batch.commit()?)
}

/// Makes the parts count: a crash before leaves a store that is cleared and filled anew.
pub fn write_genesis(store: &Store, genesis: StoredGenesis) -> Result<()> {
    let mut batch = store.batch();
    batch.insert(&store.tables.meta, "genesis", [genesis.digest.as_slice(), genesis.root.as_slice()].concat());
    Ok(batch.commit()?)
}

/// Writes block 0's header: from then on the store has a height.
pub fn write_genesis_header(store: &Store, hash: B256, encoded: &[u8]) -> Result<()> {
    let mut batch = store.batch();
    batch.insert(&store.tables.headers, 0u64.to_be_bytes(), [hash.as_slice(), encoded].concat());
    batch.insert(&store.tables.meta, "height", 0u64.to_be_bytes());
    Ok(batch.commit()?)
}

/// The rows as they were after block `to`, of everything that the blocks above it changed.
pub fn rows_at(snapshot: &Snapshot, from: u64, to: u64) -> Result<Diff> {
    let (mut account_keys, mut slot_keys) = (Vec::new(), Vec::new());
    for number in to + 1..=from {
        let (accounts, slots) = snapshot.changes(number)?;
        account_keys.extend(accounts);
        slot_keys.extend(slots);
    }
    account_keys.sort_unstable();
    account_keys.dedup();
    slot_keys.sort_unstable();
    slot_keys.dedup();
    let mut diff = Diff::default();
    for key in account_keys {
        let old = snapshot.account_row(&key)?;
        let new = snapshot.account_row_at(&key, to)?;
        let address = old.or(new).map(|(address, _)| address).unwrap_or_default();
        diff.accounts.push(AccountDiff {
            key,
            address,
            old: old.map(|(_, account)| account),
            new: new.map(|(_, account)| account),
        });
    }
    for key in slot_keys {
        let (old, new) = (snapshot.slot_row(&key)?, snapshot.slot_row_at(&key, to)?);
        let slot = old.or(new).map(|(_, slot)| slot).unwrap_or_default();
        let value = |row: Option<(U256, U256)>| row.map(|(value, _)| value).unwrap_or_default();
        diff.slots.push(SlotDiff { key, slot, old: value(old), new: value(new) });
    }
    Ok(diff)
}

/// Takes the blocks `to + 1 ..= from` back: `diff` as `rows_at` gave it, `trie` of the state after `to`.
pub fn write_unwind(store: &Store, snapshot: &Snapshot, range: (u64, u64), diff: &Diff, trie: TrieRows) -> Result<()> {
    let (from, to) = range;
    let tables = &store.tables;
    let mut batch = store.batch();
    put_accounts(&mut batch, store, diff.accounts.iter().map(|row| (row.key, (row.address, row.new))));
    put_slots(&mut batch, store, diff.slots.iter().map(|row| (row.key, (row.slot, row.new))));
    put_trie(&mut batch, store, trie, to);
    for number in to + 1..=from {
        let (accounts, slots) = snapshot.changes(number)?;
        let block = number.to_be_bytes();
        for key in accounts {
            batch.remove(&tables.account_history, [key.as_slice(), &block].concat());
        }
        for key in slots {
            batch.remove(&tables.slot_history, [&key[..], &block].concat());
        }
        batch.remove(&tables.changes, block);
        batch.remove(&tables.headers, block);
    }
    batch.insert(&tables.meta, "height", to.to_be_bytes());
    Ok(batch.commit()?)
}
