//! What nodes look like to their parents (Yellow Paper, appendix D).

use std::sync::Arc;

use alloy_primitives::{B256, U256, keccak256};
use rayon::prelude::*;

use super::node::{Branch, Child, Kind, Leaf, Node};
use super::path::Path;
use crate::codec::header::EMPTY_ROOT;
use crate::codec::rlp;

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
            return Self::of_hash(keccak256(encoded));
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
        if self.size == 33 { B256::from_slice(&self.bytes[1..]) } else { keccak256(self.as_slice()) }
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
        *self.reference.get_or_init(|| match &self.kind {
            Kind::Leaf(leaf) => Reference::of_node(&encode_leaf(leaf)),
            Kind::Branch(branch) => {
                let inner = Reference::of_node(&encode_branch(branch));
                if branch.prefix.is_empty() {
                    inner
                } else {
                    Reference::of_node(&encode_extension(&branch.prefix, inner))
                }
            }
        })
    }
}

/// Computes all references below `child`, the upper branches' children side by side on all cores.
pub fn hash_all(child: &Child, parallel_levels: u8) {
    let Child::Node(node) = child else { return };
    if node.reference.get().is_some() {
        return;
    }
    if let Kind::Branch(branch) = &node.kind {
        let unhashed = |node: &&Arc<Node>| node.reference.get().is_none();
        let nodes = branch.children.iter().filter_map(|child| match child {
            Child::Node(node) => Some(node),
            _ => None,
        });
        let pending: Vec<&Arc<Node>> = nodes.filter(unhashed).collect();
        if parallel_levels > 0 && pending.len() > 3 {
            pending.par_iter().for_each(|node| hash_all(&Child::Node(Arc::clone(node)), parallel_levels - 1));
        } else {
            for node in pending {
                hash_all(&Child::Node(Arc::clone(node)), 0);
            }
        }
    }
    node.reference();
}

pub fn encode_leaf(leaf: &Leaf) -> Vec<u8> {
    let mut payload = Vec::with_capacity(leaf.value.len() + 40);
    rlp::put_bytes(&mut payload, &Path::compact(leaf.path.nibbles(), true));
    rlp::put_bytes(&mut payload, &leaf.value);
    rlp::list(&payload)
}

pub fn encode_branch(branch: &Branch) -> Vec<u8> {
    let mut payload = Vec::with_capacity(532);
    for child in &branch.children {
        payload.extend_from_slice(child.reference().as_slice());
    }
    payload.push(0x80);
    rlp::list(&payload)
}

pub fn encode_extension(prefix: &Path, inner: Reference) -> Vec<u8> {
    let mut payload = Vec::with_capacity(67);
    rlp::put_bytes(&mut payload, &Path::compact(prefix.nibbles(), false));
    payload.extend_from_slice(inner.as_slice());
    rlp::list(&payload)
}

/// The value of an account's leaf: `rlp([nonce, balance, storageRoot, codeHash])`.
pub fn account_leaf(nonce: u64, balance: U256, storage_root: B256, code_hash: B256) -> Vec<u8> {
    let mut payload = Vec::with_capacity(110);
    rlp::put_u64(&mut payload, nonce);
    rlp::put_uint(&mut payload, balance);
    rlp::put_bytes(&mut payload, storage_root.as_slice());
    rlp::put_bytes(&mut payload, code_hash.as_slice());
    rlp::list(&payload)
}
