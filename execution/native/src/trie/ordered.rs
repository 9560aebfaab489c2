//! The tries of a block's transactions and receipts: key `rlp(index)`, growing at the end (Yellow Paper, 4.3.2).

use std::sync::Mutex;

use alloy_primitives::B256;

use super::node::Child;
use super::path::Path;
use super::persist::Owner;
use super::update::{Change, Context, Source, update};
use crate::codec::rlp;
use crate::error::{Error, Result};

/// A list of byte strings whose root is kept up as it grows.
#[derive(Debug, Clone, Default)]
pub struct OrderedTrie {
    root: Child,
    size: u64,
}

/// For tries that are in memory throughout.
pub struct InMemory;

impl Source for InMemory {
    fn load(&self, _: &Owner, path: &Path, _: bool) -> Result<Child> {
        Err(Error::Fatal(format!("a trie in memory lacks its node at {path:?}")))
    }
}

impl OrderedTrie {
    pub fn extend<'a>(&mut self, values: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        let mut changes = Vec::new();
        for value in values {
            let mut key = Vec::with_capacity(9);
            rlp::put_u64(&mut key, self.size);
            self.size += 1;
            changes.push((Path::of_bytes(&key), Change::Put(value.to_vec())));
        }
        changes.sort_unstable_by_key(|(path, _)| *path);
        self.root = update_in_memory(std::mem::take(&mut self.root), &changes)?;
        Ok(())
    }

    pub fn root(&self) -> B256 {
        self.root.root()
    }
}

/// `update` for a trie that is in memory throughout.
pub fn update_in_memory(root: Child, changes: &[(Path, Change)]) -> Result<Child> {
    let context = Context { source: &InMemory, owner: None, gone: &Mutex::default(), storage_roots: &Mutex::default() };
    update(root, changes, &context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;

    #[test]
    fn grows_to_the_same_root_in_any_steps() {
        let values: Vec<Vec<u8>> = (0u32..300).map(|index| index.to_be_bytes().repeat(12)).collect();
        let mut whole = OrderedTrie::default();
        whole.extend(values.iter().map(Vec::as_slice)).unwrap();
        let mut steps = OrderedTrie::default();
        for part in values.chunks(7) {
            steps.extend(part.iter().map(Vec::as_slice)).unwrap();
        }
        assert_eq!(whole.root(), steps.root());
        assert_eq!(steps.size, 300);
    }

    #[test]
    fn holds_the_known_root_of_a_small_trie() {
        let pairs: [(&[u8], &[u8]); 4] =
            [(b"doe", b"reindeer"), (b"dog", b"puppy"), (b"dogglesworth", b"cat"), (b"x", b"")];
        let changes: Vec<_> =
            pairs[..2].iter().map(|(key, value)| (Path::of_bytes(key), Change::Put(value.to_vec()))).collect();
        let root = update_in_memory(Child::Empty, &changes).unwrap().root();
        assert_eq!(root, b256!("05ae693aac2107336a79309e0c60b24a7aac6aa3edecaef593921500d33c63c4"));
    }
}
