//! The Merkle-Patricia trie, incremental and persistent.
//!
//! A trie is a tree of shared nodes. Changing it copies only the path to what changes, so every version is a
//! cheap snapshot: the open block has one, each sealed block keeps its own, and a rewind is an assignment. Parts
//! that are not in memory stand as their reference and are read when an update or a proof walks into them.
//!
//! What the store holds (`persist.rs`): flat accounts and slots in the order of their hashed keys, and a record for
//! each branch. Leaves have none: they are made again from the flat rows, and most need not even that, because who
//! changes an account knows what its leaf held.

mod children;
mod encode;
mod node;
mod ordered;
mod path;
mod persist;
mod proof;
mod update;
mod upper;

pub use encode::account_leaf;
pub use node::{Branch, Child, Leaf};
pub use ordered::{InMemory, OrderedTrie};
pub use path::Path;
pub use persist::{Flush, Owner, PARTS, branch_of_record, prune, prune_part, subtrie_of_leaves};
pub use proof::{Proof, prove};
pub use update::{AccountChange, Change, Changes, Context, Gone, Source, update};
pub use upper::upper_part;
