//! The rows of the state as they were at an older block, which is what the stored trie belongs to.

use std::collections::BTreeMap;

use alloy_primitives::B256;

use super::commit::Diff;
use super::store::{Snapshot, account_leaf, slot_leaf};
use crate::error::Result;
use crate::trie::{Child, Leaf, Owner, Path, Source, subtrie_of_leaves};

/// A snapshot whose records are older than its rows, read as if the rows were as old.
pub struct OlderRows<'a> {
    snapshot: &'a Snapshot,
    /// By owner and key: the leaves that differ, None for those that were not there.
    changed: BTreeMap<(Owner, Path), Option<Leaf>>,
}

impl<'a> OlderRows<'a> {
    /// `diff` leads from the rows of the snapshot to the older ones.
    pub fn new(snapshot: &'a Snapshot, diff: &Diff) -> Self {
        let accounts = diff.accounts.iter().map(|row| {
            let key = (None, Path::of_bytes(row.key.as_slice()));
            (key, row.new.as_ref().map(account_leaf))
        });
        let slots = diff.slots.iter().map(|row| {
            let key = (Some(B256::from_slice(&row.key[..32])), Path::of_bytes(&row.key[32..]));
            (key, (!row.new.is_zero()).then(|| slot_leaf(row.new)))
        });
        Self { snapshot, changed: accounts.chain(slots).collect() }
    }

    fn leaves(&self, owner: &Owner, path: &Path) -> Result<Vec<(Path, Leaf)>> {
        let mut leaves: BTreeMap<Path, Leaf> = self.snapshot.leaves(owner, path)?.into_iter().collect();
        let below = self.changed.range((*owner, *path)..);
        let mine = |key: &(Owner, Path)| key.0 == *owner && key.1.nibbles().starts_with(path.nibbles());
        for ((_, key), leaf) in below.take_while(|(key, _)| mine(key)) {
            match leaf {
                Some(leaf) => drop(leaves.insert(*key, leaf.clone())),
                None => drop(leaves.remove(key)),
            }
        }
        Ok(leaves.into_iter().collect())
    }
}

impl Source for OlderRows<'_> {
    fn load(&self, owner: &Owner, path: &Path, branch: bool) -> Result<Child> {
        if branch && let Some(branch) = self.snapshot.branch(owner, path)? {
            return Ok(branch);
        }
        Ok(subtrie_of_leaves(path.len(), self.leaves(owner, path)?))
    }
}
