//! The upper part of a stored trie, brought into memory at once by whoever opens it: nearly every change walks through
//! it, and a row that is read in passing costs a tenth of one that is looked up.

use alloy_primitives::B256;

use super::node::{Branch, Child};
use super::path::Path;

/// The trie with this root, as far as `records` tell, which are in ascending order of their paths. The rest is left to
/// the store; so is everything below a branch whose record is missing.
pub fn upper_part(root: B256, records: Vec<(Path, Branch)>) -> Child {
    // Parts that still need their parent, the one with the lowest path last.
    let mut parts: Vec<(Path, Branch)> = Vec::with_capacity(records.len().min(1024));
    for (path, mut branch) in records.into_iter().rev() {
        let start = path.join(&branch.prefix);
        while let Some((below, part)) = parts.pop_if(|(below, _)| below.nibbles().starts_with(path.nibbles())) {
            let mine = below.len() == start.len() + 1 && below.nibbles().starts_with(start.nibbles());
            if mine && let Some(nibble) = below.nibbles().last() {
                let child = branch.children.get_mut(*nibble);
                if let Some(child @ Child::Stored { branch: true, .. }) = child {
                    *child = Child::stored_branch(part, child.reference());
                }
            }
        }
        parts.push((path, branch));
    }
    match (parts.pop(), Child::of_root(root)) {
        (Some((path, top)), Child::Stored { reference, .. }) if path.is_empty() => Child::stored_branch(top, reference),
        (_, child) => child,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use alloy_primitives::keccak256;

    use super::super::node::{Kind, Leaf};
    use super::super::{Change, Changes, Context, Flush, InMemory, Owner, Source, branch_of_record, subtrie_of_leaves};
    use super::*;
    use crate::error::Result;

    /// A store in miniature.
    #[derive(Default)]
    struct Rows {
        records: BTreeMap<Path, Vec<u8>>,
        leaves: BTreeMap<Path, Vec<u8>>,
    }

    impl Source for Rows {
        fn load(&self, _: &Owner, path: &Path, branch: bool) -> Result<Child> {
            if branch && let Some(record) = self.records.get(path) {
                return Ok(Child::read_branch(branch_of_record(record).expect("a whole record")));
            }
            let below = self.leaves.range(*path..).take_while(|(key, _)| key.nibbles().starts_with(path.nibbles()));
            let leaf = |value: &Vec<u8>| Leaf { path: Path::EMPTY, value: value.clone(), storage: Child::Empty };
            Ok(subtrie_of_leaves(path.len(), below.map(|(key, value)| (*key, leaf(value))).collect()))
        }
    }

    impl Rows {
        fn upper(&self, root: B256, depth: usize) -> Child {
            let shallow = self.records.iter().filter(|(path, _)| path.len() <= depth);
            let read = |record: &Vec<u8>| branch_of_record(record).expect("a whole record");
            upper_part(root, shallow.map(|(path, record)| (*path, read(record))).collect())
        }
    }

    fn changed(trie: Child, changes: &Changes, source: &dyn Source) -> Child {
        let (gone, storage_roots) = (Mutex::default(), Mutex::default());
        let context = Context { source, owner: None, gone: &gone, storage_roots: &storage_roots };
        super::super::update(trie, changes, &context).expect("a whole store")
    }

    fn changes(numbers: impl Iterator<Item = u64>, round: u64) -> Changes {
        let mut changes: Changes = numbers
            .map(|number| {
                let delete = round > 0 && number.is_multiple_of(3);
                let value = keccak256([number, round].map(u64::to_be_bytes).concat()).to_vec();
                let key = Path::of_bytes(keccak256(number.to_be_bytes()).as_slice());
                (key, if delete { Change::Delete } else { Change::Put(value) })
            })
            .collect();
        changes.sort_unstable_by_key(|(key, _)| *key);
        changes
    }

    fn stored(first: &Changes) -> (Child, Rows) {
        let trie = changed(Child::Empty, first, &InMemory);
        let mut rows = Rows::default();
        rows.records.extend(Flush::of(&trie).puts.into_iter().map(|(_, path, record)| (path, record)));
        rows.leaves.extend(first.iter().map(|(key, change)| match change {
            Change::Put(value) => (*key, value.clone()),
            _ => unreachable!("the first changes put"),
        }));
        (trie, rows)
    }

    fn in_memory(child: &Child) -> usize {
        match child {
            Child::Node(node) => match &node.kind {
                Kind::Branch(branch) => 1 + branch.children.iter().map(|(_, child)| in_memory(child)).sum::<usize>(),
                Kind::Leaf(_) => 0,
            },
            _ => 0,
        }
    }

    #[test]
    fn the_upper_part_is_the_trie() {
        for count in [0, 1, 2, 17, 3_000] {
            let (trie, rows) = stored(&changes(0..count, 0));
            for depth in 0..6 {
                let upper = rows.upper(trie.root(), depth);
                assert_eq!(upper.root(), trie.root());
                assert_eq!(in_memory(&upper), rows.records.keys().filter(|path| path.len() <= depth).count());
                let next = changes(0..count * 2, 1);
                assert_eq!(changed(upper, &next, &rows).root(), changed(trie.clone(), &next, &InMemory).root());
            }
        }
    }

    #[test]
    fn what_is_missing_is_left_to_the_store_and_what_belongs_nowhere_is_left_out() {
        let (trie, rows) = stored(&changes(0..3_000, 0));
        let mut records: Vec<_> = rows.records.iter().filter(|(path, _)| path.len() <= 2).collect();
        let all = records.len();
        let missing = records.remove(1).0;
        let below = records.iter().filter(|(path, _)| path.nibbles().starts_with(missing.nibbles())).count();
        let read = |record: &Vec<u8>| branch_of_record(record).expect("a whole record");
        let upper = upper_part(trie.root(), records.iter().map(|(path, record)| (**path, read(record))).collect());
        assert_eq!(upper.root(), trie.root());
        assert_eq!(in_memory(&upper), all - 1 - below);
        let without_top: Vec<_> = records[1..].iter().map(|(path, record)| (**path, read(record))).collect();
        assert_eq!(in_memory(&upper_part(trie.root(), without_top)), 0);
        let next = changes(0..3_000, 1);
        assert_eq!(changed(upper, &next, &rows).root(), changed(trie, &next, &InMemory).root());
    }
}
