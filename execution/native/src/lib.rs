//! The native execution engine of rollup-sequencer.
//!
//! Recovers senders, executes blocks on revm, keeps the state with its history, and computes the roots: in Rust,
//! many transactions a call, without Python's lock. `python` is the only module that knows of Python; everything
//! else is a library of plain Rust.

pub mod batch;
pub mod chain;
pub mod codec;
pub mod error;
pub mod idle_poll;
pub mod ingress;
pub mod keccak;
pub mod lanes;
pub mod recover;
pub mod signer;
pub mod state;
pub mod trie;

mod allocator;
mod python;

use pyo3::prelude::*;

/// A trie is a million small pieces that come and go on several threads.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// Pages of 4 KiB for the whole process. The allocator asks for pages of 2 MiB where it may, gives memory that is free
/// for a moment back, and gets it again cleared: a fifth of a loaded node's time went into clearing.
fn take_small_pages() {
    // Where the system has no such switch the node is only slower.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Hashes of short inputs (an address, a slot, a mapping's key) that the process remembers, 128 bytes each. The same ones
/// come again and again: in the code of one contract, in execution, diff and trie, and in the second execution of every
/// block. The table fits a core's own cache, so that what does not come again costs little more than its hash.
const HASHES: usize = 1 << 14;

fn remember_hashes() {
    // False if there is a table already, as after a second import.
    let _ = alloy_primitives::utils::init_keccak_cache(HASHES);
}

#[pymodule]
fn rollup_sequencer_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    take_small_pages();
    remember_hashes();
    python::register(module)
}
