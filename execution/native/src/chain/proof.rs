//! Proofs of accounts and slots at any block (EIP-1186), and the tries of older blocks that they need.

use std::sync::Mutex;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::engine::Engine;
use super::reads::At;
use crate::error::{Error, Result};
use crate::state::{Account, Diff, OlderRows, Snapshot, rows_at, slot_change};
use crate::trie::{AccountChange, Change, Changes, Child, Context, Gone, Path, Source, prove, update};

/// An account, its proof, and the proof of each slot asked for.
#[derive(Debug)]
pub struct AccountProof {
    pub account: Account,
    pub nodes: Vec<Bytes>,
    pub slots: Vec<(U256, Vec<Bytes>)>,
}

impl Engine {
    pub fn proof(&self, address: &Address, slots: &[B256], at: At) -> Result<AccountProof> {
        let At::Block(number) = at else {
            return Err(Error::Temporary("the open block has no state root yet".into()));
        };
        let account = self.view(at)?.0.account(address)?.unwrap_or_default();
        let (trie, snapshot) = self.trie_at(number)?;
        let key = keccak256(address);
        let proof = prove(&trie, &None, &Path::of_bytes(key.as_slice()), &snapshot)?;
        let storage = proof.leaf.map(|leaf| leaf.storage).unwrap_or_default();
        let mut proven = Vec::with_capacity(slots.len());
        for slot in slots {
            let proof = prove(&storage, &Some(key), &Path::of_bytes(keccak256(slot).as_slice()), &snapshot)?;
            let value = proof.leaf.map_or(Ok(U256::ZERO), |leaf| {
                crate::codec::rlp::Reader::new(&leaf.value).u256().map_err(|text| Error::Fatal(text.into()))
            })?;
            proven.push((value, proof.nodes));
        }
        Ok(AccountProof { account, nodes: proof.nodes, slots: proven })
    }
}

/// The trie after block `to` from `trie`, that of the height `from`, with everything changed between changed back.
///
/// Costs as much as the blocks between changed; proofs far back are slow, which is why callers limit them.
pub fn trie_before(snapshot: &Snapshot, trie: Child, from: u64, to: u64) -> Result<(Child, Gone)> {
    if from == to {
        return Ok((trie, Gone::new()));
    }
    walk(trie, &rows_at(snapshot, from, to)?, snapshot)
}

/// The trie of the height `to` from the stored one, which is that of block `from` and has this root.
pub fn trie_after(snapshot: &Snapshot, root: B256, from: u64, to: u64) -> Result<(Child, Gone)> {
    let mut diff = rows_at(snapshot, to, from)?;
    let older = OlderRows::new(snapshot, &diff);
    diff.accounts.iter_mut().for_each(|row| std::mem::swap(&mut row.old, &mut row.new));
    diff.slots.iter_mut().for_each(|row| std::mem::swap(&mut row.old, &mut row.new));
    walk(Child::of_root(root), &diff, &older)
}

fn walk(trie: Child, diff: &Diff, source: &dyn Source) -> Result<(Child, Gone)> {
    let mut slots: std::collections::BTreeMap<B256, Changes> = std::collections::BTreeMap::new();
    for row in &diff.slots {
        let change = (Path::of_bytes(&row.key[32..]), slot_change(row.new));
        slots.entry(B256::from_slice(&row.key[..32])).or_default().push(change);
    }
    let mut changes: Changes = Vec::with_capacity(diff.accounts.len());
    for row in &diff.accounts {
        let change = match row.new {
            None => Change::Delete,
            Some(account) => Change::Account(Box::new(AccountChange {
                nonce: account.nonce,
                balance: account.balance,
                code_hash: account.code_hash,
                storage_root: row.old.map(|old| old.storage_root),
                slots: slots.remove(&row.key).unwrap_or_default(),
            })),
        };
        changes.push((Path::of_bytes(row.key.as_slice()), change));
    }
    let (gone, roots) = (Mutex::default(), Mutex::default());
    let context = Context { source, owner: None, gone: &gone, storage_roots: &roots };
    let trie = update(trie, &changes, &context)?;
    Ok((trie, gone.into_inner().unwrap_or_default()))
}
