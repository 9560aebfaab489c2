//! What of a trie is stored, and when it may leave memory.
//!
//! ```text
//! record = prefix length(1) || prefix nibbles || kinds(4, little-endian: two bits a child, 0 none, 1 leaf, 2 branch)
//!          || the references of the children that are there
//! ```
//! A reference delimits itself: 0xa0 and a hash, or a short list.

use std::sync::Arc;

use alloy_primitives::B256;

use super::children::Children;
use super::encode::Reference;
use super::node::{Branch, Child, Kind, Leaf, Node};
use super::path::Path;
use super::update::assemble;

/// Whose trie: the accounts' (None) or the storage of the account with this hashed address.
pub type Owner = Option<B256>;

/// The rows that bring the store up to a version of the trie.
#[derive(Debug, Default)]
pub struct Flush {
    pub puts: Vec<(Owner, Path, Vec<u8>)>,
}

impl Flush {
    /// Collects what below `root` is not stored yet. The nodes count as stored from then on.
    pub fn of(root: &Child) -> Self {
        let mut flush = Self::default();
        flush.collect(root, &None, &Path::EMPTY);
        flush
    }

    fn collect(&mut self, child: &Child, owner: &Owner, at: &Path) {
        let Child::Node(node) = child else { return };
        if node.is_clean() {
            return;
        }
        match &node.kind {
            Kind::Leaf(leaf) => {
                if let Child::Node(_) = &leaf.storage {
                    let key = at.join(leaf.path.nibbles()).to_bytes();
                    self.collect(&leaf.storage, &Some(B256::from_slice(&key)), &Path::EMPTY);
                }
                node.mark_clean();
            }
            Kind::Branch(branch) => {
                let start = at.join(&branch.prefix);
                for (nibble, child) in branch.children.iter().filter(|(_, child)| matches!(child, Child::Node(_))) {
                    self.collect(child, owner, &start.child(nibble));
                }
                self.puts.push((*owner, *at, record(branch)));
                node.mark_clean();
            }
        }
    }
}

fn record(branch: &Branch) -> Vec<u8> {
    // No more than it takes, because a hundred thousand wait to be written together.
    let mut out = Vec::with_capacity(5 + branch.prefix.len() + 33 * branch.children.len());
    out.push(branch.prefix.len() as u8);
    out.extend_from_slice(&branch.prefix);
    let mut kinds = 0u32;
    for (nibble, child) in branch.children.iter() {
        kinds |= (1 + u32::from(child.is_branch())) << (2 * nibble);
    }
    out.extend_from_slice(&kinds.to_le_bytes());
    for (_, child) in branch.children.iter() {
        out.extend_from_slice(child.reference().as_slice());
    }
    out
}

/// The branch that a record describes; None if the record is damaged.
pub fn branch_of_record(record: &[u8]) -> Option<Branch> {
    let (&prefix_size, rest) = record.split_first()?;
    let (prefix, rest) = rest.split_at_checked(prefix_size as usize)?;
    if prefix.len() > 64 || prefix.iter().any(|nibble| *nibble > 15) {
        return None;
    }
    let (kinds, mut rest) = rest.split_at_checked(4)?;
    let kinds = u32::from_le_bytes(kinds.try_into().ok()?);
    let taken = (kinds | kinds >> 1) & 0x5555_5555;
    let mut children = Children::with_room(taken.count_ones() as usize);
    for nibble in 0..16 {
        let kind = kinds >> (2 * nibble) & 3;
        if kind == 0 {
            continue;
        }
        let size = match rest.first()? {
            0xa0 => 33,
            prefix @ 0xc0..=0xde => *prefix as usize - 0xbf,
            _ => return None,
        };
        let (reference, others) = rest.split_at_checked(size)?;
        rest = others;
        let reference = if size == 33 {
            Reference::of_hash(B256::from_slice(&reference[1..]))
        } else {
            Reference::inline(reference)
        };
        children.set(nibble, Child::Stored { reference, branch: kind == 2 });
    }
    Some(Branch::new(prefix, children))
}

/// The part of a trie at a path of `depth` nibbles, rebuilt from its leaves in ascending order of their keys.
pub fn subtrie_of_leaves(depth: usize, leaves: Vec<(Path, Leaf)>) -> Child {
    let child = assemble(depth, leaves);
    mark_clean(&child);
    child
}

fn mark_clean(child: &Child) {
    let Child::Node(node) = child else { return };
    if let Kind::Branch(branch) = &node.kind {
        branch.children.iter().for_each(|(_, child)| mark_clean(child));
    }
    node.mark_clean();
}

/// The same trie with what is stored and deeper than `kept` left to the store, and the storage of all accounts.
pub fn prune(root: &Child, kept: usize) -> Child {
    pruned(root, 0, kept).unwrap_or_else(|| root.clone())
}

/// The same for one of `PARTS` parts of the trie: those keys that begin with this byte.
pub fn prune_part(root: &Child, kept: usize, part: u8) -> Child {
    pruned_along(root, 0, kept, &[part >> 4, part & 15]).unwrap_or_else(|| root.clone())
}

/// Of about equal size, in a large trie.
pub const PARTS: usize = 256;

/// None if there is nothing to prune.
fn pruned_along(child: &Child, depth: usize, kept: usize, way: &[u8]) -> Option<Child> {
    let Child::Node(node) = child else { return None };
    let (Kind::Branch(branch), Some((nibble, way))) = (&node.kind, way.split_first()) else {
        return pruned(child, depth, kept);
    };
    if !branch.prefix.is_empty() {
        return pruned(child, depth, kept);
    }
    let below = pruned_along(branch.children.get(*nibble), depth + 1, kept, way)?;
    let mut branch = branch.clone();
    branch.children.set(*nibble, below);
    Some(copy(node, Kind::Branch(branch)))
}

/// None if there is nothing to prune: then nothing is copied, and most of what stays in memory was pruned before.
fn pruned(child: &Child, depth: usize, kept: usize) -> Option<Child> {
    let Child::Node(node) = child else { return None };
    if node.is_clean() && depth > kept {
        return Some(Child::Stored { reference: node.reference(), branch: child.is_branch() });
    }
    match &node.kind {
        Kind::Leaf(leaf) => {
            let storage = pruned(&leaf.storage, kept + 1, kept)?;
            Some(copy(node, Kind::Leaf(Box::new(Leaf { storage, ..Leaf::clone(leaf) }))))
        }
        Kind::Branch(branch) => {
            let inner = depth + branch.prefix.len() + 1;
            let mut copied: Option<Branch> = None;
            for (nibble, child) in branch.children.iter() {
                if let Some(child) = pruned(child, inner, kept) {
                    copied.get_or_insert_with(|| branch.clone()).children.set(nibble, child);
                }
            }
            copied.map(|branch| copy(node, Kind::Branch(branch)))
        }
    }
}

/// The same node with less of it in memory.
fn copy(node: &Node, kind: Kind) -> Child {
    let copy = if node.is_clean() { Node::loaded(kind) } else { Node::new(kind) };
    let _ = copy.reference.set(node.reference());
    Child::Node(Arc::new(copy))
}
