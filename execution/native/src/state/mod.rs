//! The state: accounts, slots and code, committed in the store and layered above it in memory.

mod account;
mod commit;
mod database;
mod known_accounts;
mod layer;
mod older;
mod store;
mod view;

pub use account::Account;
pub use commit::{
    AccountDiff, Diff, SlotDiff, TrieRows, rows_at, write_blocks, write_genesis, write_genesis_header,
    write_genesis_part, write_trie, write_unwind,
};
pub use database::{Before, FORKS, Hot, Override, StateDb, fork_of};
pub use layer::{Layer, slot_change, stack};
pub use older::OlderRows;
pub use store::{Snapshot, Store, StoredGenesis};
pub use view::{Codes, Sealed, View, bytecode, store_slot_key};
