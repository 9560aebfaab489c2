//! Merkle proofs: the encoded nodes from the root to a key, or to where it would be (EIP-1186).

use alloy_primitives::Bytes;

use super::encode::{Reference, put_branch, put_extension, put_leaf};
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
                push(&mut proof, encoded(|out| put_leaf(out, leaf)));
                if leaf.path.nibbles() == rest {
                    proof.leaf = Some(Leaf::clone(leaf));
                }
                return Ok(proof);
            }
            Kind::Branch(branch) => {
                let inner = encoded(|out| put_branch(out, branch));
                if !branch.prefix.is_empty() {
                    let reference = Reference::of_node(&inner);
                    push(&mut proof, encoded(|out| put_extension(out, &branch.prefix, reference)));
                    if !rest.starts_with(&branch.prefix) {
                        return Ok(proof);
                    }
                }
                push(&mut proof, inner);
                at.extend(&branch.prefix);
                let nibble = key.nibbles()[at.len()];
                at.push(nibble);
                child = branch.children.get(nibble).clone();
            }
        }
    }
}

fn encoded(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut encoded = Vec::new();
    put(&mut encoded);
    encoded
}

fn push(proof: &mut Proof, encoded: Vec<u8>) {
    if encoded.len() >= 32 || proof.nodes.is_empty() {
        proof.nodes.push(encoded.into());
    }
}
