//! Merkle proofs: the encoded nodes from the root to a key, or to where it would be (EIP-1186).

use alloy_primitives::Bytes;

use super::encode::{encode_branch, encode_extension, encode_leaf};
use super::node::{Child, Kind, Leaf};
use super::path::Path;
use super::persist::Owner;
use super::update::Source;
use crate::error::Result;

/// The nodes of a proof, and the leaf if the key is there.
#[derive(Debug, Default)]
pub struct Proof {
    pub nodes: Vec<Bytes>,
    pub leaf: Option<Leaf>,
}

/// Walks from `root` to `key`. A node of less than 32 bytes is part of its parent and not listed again.
pub fn prove(root: &Child, owner: &Owner, key: &Path, source: &dyn Source) -> Result<Proof> {
    let mut proof = Proof::default();
    let mut at = Path::EMPTY;
    let mut child = root.clone();
    loop {
        let node = match child {
            Child::Empty => return Ok(proof),
            Child::Stored { branch, .. } => {
                child = source.load(owner, &at, branch)?;
                continue;
            }
            Child::Node(node) => node,
        };
        let rest = &key.nibbles()[at.len()..];
        match &node.kind {
            Kind::Leaf(leaf) => {
                push(&mut proof, encode_leaf(leaf));
                if leaf.path.nibbles() == rest {
                    proof.leaf = Some(leaf.clone());
                }
                return Ok(proof);
            }
            Kind::Branch(branch) => {
                let inner = encode_branch(branch);
                if !branch.prefix.is_empty() {
                    push(&mut proof, encode_extension(&branch.prefix, super::encode::Reference::of_node(&inner)));
                    if !rest.starts_with(branch.prefix.nibbles()) {
                        return Ok(proof);
                    }
                }
                push(&mut proof, inner);
                at.extend(branch.prefix.nibbles());
                let nibble = key.nibbles()[at.len()];
                at.push(nibble);
                child = branch.children[nibble as usize].clone();
            }
        }
    }
}

fn push(proof: &mut Proof, encoded: Vec<u8>) {
    if encoded.len() >= 32 || proof.nodes.is_empty() {
        proof.nodes.push(encoded.into());
    }
}
