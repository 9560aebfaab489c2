//! Nodes in memory. An extension is not a node of its own: a branch carries the prefix that leads to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::children::Children;
use super::encode::Reference;
use super::path::Path;

/// What hangs below a branch, or is the root.
#[derive(Debug, Clone, Default)]
pub enum Child {
    #[default]
    Empty,
    /// Not in memory. `branch` is false if it is known to be a leaf.
    Stored {
        reference: Reference,
        branch: bool,
    },
    Node(Arc<Node>),
}

impl Child {
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub fn is_branch(&self) -> bool {
        match self {
            Self::Empty => false,
            Self::Stored { branch, .. } => *branch,
            Self::Node(node) => matches!(node.kind, Kind::Branch(_)),
        }
    }

    pub fn leaf(leaf: Leaf) -> Self {
        Self::Node(Arc::new(Node::new(Kind::Leaf(Box::new(leaf)))))
    }

    pub fn branch(branch: Branch) -> Self {
        Self::Node(Arc::new(Node::new(Kind::Branch(branch))))
    }

    /// A branch that was just read from the store.
    pub fn read_branch(branch: Branch) -> Self {
        Self::Node(Arc::new(Node::loaded(Kind::Branch(branch))))
    }

    /// The same, with what its parent calls it.
    pub fn stored_branch(branch: Branch, reference: Reference) -> Self {
        let node = Node::loaded(Kind::Branch(branch));
        let _ = node.reference.set(reference);
        Self::Node(Arc::new(node))
    }
}

/// A node, what its parent calls it, and what the store knows of it.
#[derive(Debug)]
pub struct Node {
    pub kind: Kind,
    /// Made on demand; unset again by whoever changes the node.
    pub reference: OnceLock<Reference>,
    /// The store's rows say the same as this node and all below it.
    clean: AtomicBool,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Leaf(Box<Leaf>),
    Branch(Branch),
}

/// The rest of a key and its value. Account leaves carry the account's storage trie.
#[derive(Debug, Clone)]
pub struct Leaf {
    pub path: Path,
    pub value: Vec<u8>,
    pub storage: Child,
}

/// Sixteen ways on, behind a prefix that may be empty. No value: no key is the prefix of another.
#[derive(Debug, Clone)]
pub struct Branch {
    /// In nibbles.
    pub prefix: Box<[u8]>,
    pub children: Children,
}

impl Node {
    pub fn new(kind: Kind) -> Self {
        Self { kind, reference: OnceLock::new(), clean: AtomicBool::new(false) }
    }

    /// A node that was just read from the store.
    pub fn loaded(kind: Kind) -> Self {
        let node = Self::new(kind);
        node.mark_clean();
        node
    }

    pub fn is_clean(&self) -> bool {
        self.clean.load(Ordering::Relaxed)
    }

    pub fn mark_clean(&self) {
        self.clean.store(true, Ordering::Relaxed);
    }
}

impl Clone for Node {
    /// A copy to be changed: neither hashed nor stored.
    fn clone(&self) -> Self {
        Self::new(self.kind.clone())
    }
}

impl Branch {
    pub fn new(prefix: &[u8], children: Children) -> Self {
        Self { prefix: prefix.into(), children }
    }
}
