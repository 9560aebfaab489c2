//! The native execution engine of rollup-sequencer.
//!
//! Recovers senders, executes blocks on revm, keeps the state with its history, and computes the roots: in Rust,
//! many transactions a call, without Python's lock. `python` is the only module that knows of Python; everything
//! else is a library of plain Rust.

pub mod batch;
pub mod chain;
pub mod codec;
pub mod error;
pub mod ingress;
pub mod recover;
pub mod state;
pub mod trie;

mod python;

use pyo3::prelude::*;

/// A trie is a million small pieces that come and go on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
fn rollup_sequencer_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    python::register(module)
}
