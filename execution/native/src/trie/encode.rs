//! What nodes look like to their parents (Yellow Paper, appendix D).

use alloy_primitives::utils::keccak256_uncached;
use alloy_primitives::{B256, U256};
use rayon::prelude::*;

use super::node::{Branch, Child, Kind, Leaf, Node};
use super::path::Path;
use crate::codec::header::EMPTY_ROOT;
use crate::codec::rlp;
use crate::keccak;

/// A node's encoding as it stands in its parent: the hash as a byte string, or the node itself if it is
/// shorter than 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    size: u8,
    bytes: [u8; 33],
}

impl Reference {
    pub fn of_hash(hash: B256) -> Self {
        let mut bytes = [0xa0; 33];
        bytes[1..].copy_from_slice(hash.as_slice());
        Self { size: 33, bytes }
    }

    /// Of an encoded node.
    pub fn of_node(encoded: &[u8]) -> Self {
        if encoded.len() >= 32 {
            return Self::of_hash(keccak256_uncached(encoded));
        }
        Self::inline(encoded)
    }

    /// Of a node of less than 32 bytes, which stands for itself.
    pub fn inline(encoded: &[u8]) -> Self {
        let mut bytes = [0; 33];
        bytes[..encoded.len()].copy_from_slice(encoded);
        Self { size: encoded.len() as u8, bytes }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.size as usize]
    }

    /// The hash of a root, which is hashed however short it is.
    fn root(&self) -> B256 {
        if self.size == 33 { B256::from_slice(&self.bytes[1..]) } else { keccak256_uncached(self.as_slice()) }
    }
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", alloy_primitives::hex::encode(self.as_slice()))
    }
}

impl Child {
    /// The root hash of the trie that this child is the root of.
    pub fn root(&self) -> B256 {
        match self {
            Self::Empty => EMPTY_ROOT,
            _ => self.reference().root(),
        }
    }

    /// How the parent calls this child. Must not be empty.
    pub fn reference(&self) -> Reference {
        match self {
            Self::Empty => Reference::inline(&[0x80]),
            Self::Stored { reference, .. } => *reference,
            Self::Node(node) => node.reference(),
        }
    }

    /// A trie of which only the root hash is known.
    pub fn of_root(root: B256) -> Self {
        if root == EMPTY_ROOT || root.is_zero() {
            return Self::Empty;
        }
        Self::Stored { reference: Reference::of_hash(root), branch: true }
    }
}

impl Node {
    pub fn reference(&self) -> Reference {
        *self.reference.get_or_init(|| {
            let mut encoded = Vec::with_capacity(BRANCH_BYTES);
            self.put(&mut encoded);
            self.behind_prefix(Reference::of_node(&encoded))
        })
    }

    /// Appends the encoding, that of a branch without what leads to it.
    fn put(&self, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Leaf(leaf) => put_leaf(out, leaf),
            Kind::Branch(branch) => put_branch(out, branch),
        }
    }

    /// What the parent calls a node that is `inner` without what leads to it.
    fn behind_prefix(&self, inner: Reference) -> Reference {
        match &self.kind {
            Kind::Branch(branch) if !branch.prefix.is_empty() => {
                let mut encoded = Vec::with_capacity(69);
                put_extension(&mut encoded, &branch.prefix, inner);
                Reference::of_node(&encoded)
            }
            _ => inner,
        }
    }
}

/// Nodes whose encodings are made together: they fit a core's own cache.
const TOGETHER: usize = 128;

/// Makes all references below `child`: level by level from below, because hashes of many nodes at once are cheap.
pub fn hash_all(child: &Child) {
    let mut levels = Vec::new();
    gather(child, 0, &mut levels);
    for level in levels.iter().rev() {
        if level.len() >= 2 * TOGETHER && rayon::current_num_threads() > 1 {
            level.par_chunks(TOGETHER).for_each(hash_together);
        } else {
            level.chunks(TOGETHER).for_each(hash_together);
        }
    }
}

/// Lists the nodes without a reference by their depth below where this began.
fn gather<'a>(child: &'a Child, depth: usize, levels: &mut Vec<Vec<&'a Node>>) {
    let Child::Node(node) = child else { return };
    if node.reference.get().is_some() {
        return;
    }
    if levels.len() == depth {
        levels.push(Vec::new());
    }
    levels[depth].push(node);
    if let Kind::Branch(branch) = &node.kind {
        branch.children.iter().for_each(|(_, child)| gather(child, depth + 1, levels));
    }
}

/// Makes the references of nodes whose children have theirs.
fn hash_together(nodes: &[&Node]) {
    let mut bytes = Vec::with_capacity(nodes.len() * BRANCH_BYTES);
    let mut ends = Vec::with_capacity(nodes.len());
    for node in nodes {
        node.put(&mut bytes);
        ends.push(bytes.len());
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let encoded: Vec<&[u8]> = starts.zip(&ends).map(|(start, end)| &bytes[start..*end]).collect();
    for ((node, encoded), hash) in nodes.iter().zip(&encoded).zip(keccak::digests(&encoded)) {
        let inner = if encoded.len() < 32 { Reference::inline(encoded) } else { Reference::of_hash(hash) };
        // Whoever shares the node and was faster found the same.
        let _ = node.reference.set(node.behind_prefix(inner));
    }
}

pub fn put_leaf(out: &mut Vec<u8>, leaf: &Leaf) {
    rlp::put_list_of(out, |out| {
        Path::put_compact(out, leaf.path.nibbles(), true);
        rlp::put_bytes(out, &leaf.value);
    });
}

/// The encoding of a branch is at most this long.
const BRANCH_BYTES: usize = 532;

pub fn put_branch(out: &mut Vec<u8>, branch: &Branch) {
    rlp::put_list_of(out, |out| {
        let mut next = 0;
        for (nibble, child) in branch.children.iter() {
            out.extend((next..nibble).map(|_| 0x80));
            next = nibble + 1;
            let reference = child.reference();
            let end = out.len() + reference.size as usize;
            // Copying all of it is cheaper, because its size is known when this is compiled.
            out.extend_from_slice(&reference.bytes);
            out.truncate(end);
        }
        out.extend((next..=16).map(|_| 0x80));
    });
}

pub fn put_extension(out: &mut Vec<u8>, prefix: &[u8], inner: Reference) {
    rlp::put_list_of(out, |out| {
        Path::put_compact(out, prefix, false);
        out.extend_from_slice(inner.as_slice());
    });
}

/// The value of an account's leaf: `rlp([nonce, balance, storageRoot, codeHash])`.
pub fn account_leaf(nonce: u64, balance: U256, storage_root: B256, code_hash: B256) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(110);
    rlp::put_list_of(&mut encoded, |out| {
        rlp::put_u64(out, nonce);
        rlp::put_uint(out, balance);
        rlp::put_bytes(out, storage_root.as_slice());
        rlp::put_bytes(out, code_hash.as_slice());
    });
    encoded
}
