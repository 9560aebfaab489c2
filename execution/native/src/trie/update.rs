//! Many changes at once: sorted by key, they walk down together, so that a shared node is copied and hashed once.

use std::sync::{Arc, Mutex};

use alloy_primitives::{B256, U256};
use rayon::prelude::*;

use super::children::Children;
use super::encode::{account_leaf, hash_all};
use super::node::{Branch, Child, Kind, Leaf, Node};
use super::path::{Path, common};
use super::persist::Owner;
use crate::error::{Error, Result};

/// What becomes of one key.
#[derive(Debug, Clone)]
pub enum Change {
    Delete,
    Put(Vec<u8>),
    Account(Box<AccountChange>),
}

/// An account's new fields, and what changes in its storage: hashed slots and encoded values.
#[derive(Debug, Clone)]
pub struct AccountChange {
    pub nonce: u64,
    pub balance: U256,
    pub code_hash: B256,
    /// The root of the storage before, None if there was no account before.
    pub storage_root: Option<B256>,
    pub slots: Changes,
}

/// Changes in strictly ascending order of their full keys.
pub type Changes = Vec<(Path, Change)>;

/// Where a trie reads the parts that are not in memory. What it gives must be unchanged since those parts left
/// memory; the caller sees to that by keeping everything in memory that is not yet stored.
pub trait Source: Sync {
    /// The node at `path` of `owner`'s trie, all of whose keys begin with it.
    fn load(&self, owner: &Owner, path: &Path, branch: bool) -> Result<Child>;
}

/// Paths at which a branch stood that stands there no more. The store may have a record of it.
pub type Gone = Vec<(Owner, Path)>;

/// What an update needs on its way, and what it leaves behind.
pub struct Context<'a> {
    pub source: &'a dyn Source,
    pub owner: Owner,
    pub gone: &'a Mutex<Gone>,
    /// New storage roots of the accounts whose storage changed, by hashed address.
    pub storage_roots: &'a Mutex<Vec<(B256, B256)>>,
}

/// From this many changes on, the subtries of the upper levels are worked on side by side.
const PARALLEL_FROM: usize = 128;
/// A part of the trie with this many changes is hashed by whoever changed it, while its nodes are at hand. One with fewer
/// would not fill the lanes, and waits for others.
const HASHED_FROM: usize = 32;

/// The trie with `changes` made, hashed throughout.
pub fn update(root: Child, changes: &[(Path, Change)], context: &Context<'_>) -> Result<Child> {
    let root = change(root, &Path::EMPTY, changes, context)?;
    hash_all(&root);
    Ok(root)
}

fn change(child: Child, at: &Path, changes: &[(Path, Change)], context: &Context<'_>) -> Result<Child> {
    if changes.is_empty() {
        return Ok(child);
    }
    let node = match child {
        Child::Empty => return build(at, None, changes, context),
        Child::Stored { branch, .. } => {
            if !branch && let Some(old) = known_leaf(at, changes) {
                return build(at, Some(old), changes, context);
            }
            let loaded = context.source.load(&context.owner, at, branch)?;
            return change(loaded, at, changes, context);
        }
        Child::Node(node) => node,
    };
    match &node.kind {
        Kind::Leaf(leaf) => build(at, Some(Leaf::clone(leaf)), changes, context),
        Kind::Branch(_) => change_branch(node, at, changes, context),
    }
}

/// The leaf that must stand at `at`, where there is just one, if the only change is of an account that was there.
fn known_leaf(at: &Path, changes: &[(Path, Change)]) -> Option<Leaf> {
    let [(key, Change::Account(account))] = changes else { return None };
    let storage = Child::of_root(account.storage_root?);
    Some(Leaf { path: Path::of_nibbles(&key.nibbles()[at.len()..]), value: Vec::new(), storage })
}

/// A subtrie at `at` from at most one old leaf and the changes.
fn build(at: &Path, old: Option<Leaf>, changes: &[(Path, Change)], context: &Context<'_>) -> Result<Child> {
    let depth = at.len();
    let old_key = old.as_ref().map(|leaf| at.join(leaf.path.nibbles()));
    let mut leaves: Vec<(Path, Leaf)> = Vec::with_capacity(changes.len() + 1);
    let mut old = old;
    for (key, change) in changes {
        let same = old_key.as_ref() == Some(key);
        let previous = if same { old.take() } else { None };
        if let Some(leaf) = new_leaf(key, depth, previous, change, context)? {
            leaves.push((*key, leaf));
        }
    }
    if let (Some(key), Some(leaf)) = (old_key, old) {
        let place = leaves.partition_point(|(other, _)| *other < key);
        leaves.insert(place, (key, leaf));
    }
    Ok(assemble(depth, leaves))
}

/// The trie of `leaves`, in ascending order of their keys, which share `depth` nibbles.
pub fn assemble(depth: usize, mut leaves: Vec<(Path, Leaf)>) -> Child {
    if leaves.len() <= 1 {
        return match leaves.pop() {
            None => Child::Empty,
            Some((key, leaf)) => Child::leaf(Leaf { path: Path::of_nibbles(&key.nibbles()[depth..]), ..leaf }),
        };
    }
    let (first, last) = (leaves[0].0, leaves[leaves.len() - 1].0);
    let shared = common(&first.nibbles()[depth..], &last.nibbles()[depth..]);
    let fork = depth + shared;
    let mut children = Children::with_room(leaves.len().min(16));
    while let Some((key, _)) = leaves.last() {
        let nibble = key.nibbles()[fork];
        let start = leaves.partition_point(|(key, _)| key.nibbles()[fork] < nibble);
        children.set(nibble, assemble(fork + 1, leaves.split_off(start)));
    }
    Child::branch(Branch::new(&first.nibbles()[depth..fork], children))
}

fn new_leaf(
    key: &Path,
    depth: usize,
    old: Option<Leaf>,
    change: &Change,
    context: &Context<'_>,
) -> Result<Option<Leaf>> {
    let path = Path::of_nibbles(&key.nibbles()[depth..]);
    match change {
        Change::Delete => Ok(None),
        Change::Put(value) => Ok(Some(Leaf { path, value: value.clone(), storage: Child::Empty })),
        Change::Account(account) => {
            let mut storage = old.map(|leaf| leaf.storage).unwrap_or_default();
            if !account.slots.is_empty() {
                let owner = B256::from_slice(&key.to_bytes());
                let inner = Context { owner: Some(owner), ..*context };
                storage = self::change(storage, &Path::EMPTY, &account.slots, &inner)?;
                hash_all(&storage);
                context.storage_roots.lock().expect("no panic while held").push((owner, storage.root()));
            }
            let value = account_leaf(account.nonce, account.balance, storage.root(), account.code_hash);
            Ok(Some(Leaf { path, value, storage }))
        }
    }
}

fn change_branch(node: Arc<Node>, at: &Path, changes: &[(Path, Change)], context: &Context<'_>) -> Result<Child> {
    let Kind::Branch(branch) = &node.kind else { unreachable!("the caller matched a branch") };
    let depth = at.len();
    let start = at.join(&branch.prefix);
    let prefix = &branch.prefix;
    let mut below = changes;
    if !prefix.is_empty() {
        let shared = |key: &Path| common(&key.nibbles()[depth..], prefix);
        let written = changes.iter().filter(|(_, change)| !matches!(change, Change::Delete));
        let fork = written.map(|(key, _)| shared(key)).min().unwrap_or(prefix.len());
        if fork < prefix.len() {
            return change_branch(split(branch, fork), at, changes, context);
        }
        // What leaves the prefix now can only be the deletion of a key that is not there.
        let inside = |(key, _): &(Path, Change)| shared(key) == prefix.len();
        let Some(first) = changes.iter().position(inside) else { return Ok(Child::Node(node)) };
        let size = changes[first..].iter().take_while(|change| inside(change)).count();
        below = &changes[first..first + size];
    }
    let mut branch = match Arc::try_unwrap(node) {
        Ok(Node { kind: Kind::Branch(branch), .. }) => branch,
        Ok(_) => unreachable!("the caller matched a branch"),
        Err(node) => match &node.kind {
            Kind::Branch(branch) => branch.clone(),
            Kind::Leaf(_) => unreachable!("the caller matched a branch"),
        },
    };
    change_children(&mut branch, &start, below, context)?;
    normalise(branch, at, context)
}

/// The branch with its prefix cut at `fork`, so that something may leave it there.
fn split(branch: &Branch, fork: usize) -> Arc<Node> {
    let nibbles = &branch.prefix;
    let lower = Branch::new(&nibbles[fork + 1..], branch.children.clone());
    let mut children = Children::with_room(2);
    children.set(nibbles[fork], Child::branch(lower));
    Arc::new(Node::new(Kind::Branch(Branch::new(&nibbles[..fork], children))))
}

/// A way on, what hangs there, and what changes of it.
type Work<'a> = (u8, &'a mut Child, &'a [(Path, Change)]);

fn change_children(branch: &mut Branch, start: &Path, changes: &[(Path, Change)], context: &Context<'_>) -> Result<()> {
    let depth = start.len();
    let (mut parts, mut ways) = (Vec::with_capacity(changes.len().min(16)), 0);
    let mut rest = changes;
    while let Some((key, _)) = rest.first() {
        let nibble = key.nibbles()[depth];
        let (mine, others) = rest.split_at(rest.partition_point(|(key, _)| key.nibbles()[depth] == nibble));
        rest = others;
        ways |= 1 << nibble;
        parts.push(mine);
    }
    let ways = branch.children.open(ways);
    let work: Vec<Work<'_>> = ways.zip(parts).map(|((nibble, child), mine)| (nibble, child, mine)).collect();
    let one = |(nibble, child, mine): Work<'_>| -> Result<()> {
        *child = change(std::mem::take(child), &start.child(nibble), mine, context)?;
        if mine.len() >= HASHED_FROM {
            hash_all(child);
        }
        Ok(())
    };
    if changes.len() >= PARALLEL_FROM && rayon::current_num_threads() > 1 {
        work.into_par_iter().try_for_each(one)?;
    } else {
        work.into_iter().try_for_each(one)?;
    }
    branch.children.close();
    Ok(())
}

/// A branch with one way left is no branch: it merges with what is below.
fn normalise(branch: Branch, at: &Path, context: &Context<'_>) -> Result<Child> {
    if branch.children.len() > 1 {
        return Ok(Child::branch(branch));
    }
    let gone = |path: Path| context.gone.lock().expect("no panic while held").push((context.owner, path));
    let Branch { prefix, children } = branch;
    let Some((nibble, child)) = children.only() else {
        gone(*at);
        return Ok(Child::Empty);
    };
    let below = at.join(&prefix).child(nibble);
    let node = match child {
        Child::Node(node) => node,
        Child::Stored { branch, .. } => match context.source.load(&context.owner, &below, branch)? {
            Child::Node(node) => node,
            _ => return Err(Error::Fatal(format!("state store: no trie node at {below:?}"))),
        },
        Child::Empty => unreachable!("who made the branch gave up empty places"),
    };
    let merged = Path::of_nibbles(&prefix).child(nibble);
    match &node.kind {
        Kind::Leaf(leaf) => {
            gone(*at);
            let path = merged.join(leaf.path.nibbles());
            Ok(Child::leaf(Leaf { path, value: leaf.value.clone(), storage: leaf.storage.clone() }))
        }
        Kind::Branch(inner) => {
            gone(below);
            let prefix = merged.join(&inner.prefix);
            Ok(Child::branch(Branch::new(prefix.nibbles(), inner.children.clone())))
        }
    }
}
