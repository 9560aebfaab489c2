//! The face that Python sees: compact objects whose attributes are made when asked for, and an engine whose
//! methods let go of Python's lock while they work.
//!
//! No panic crosses: whatever fails inside becomes one of the four exceptions below, which the adapter translates.

mod batch;
mod block_rows;
mod convert;
mod engine;
mod flashblock;
mod idle_poll;
mod ingress;
mod outcome;
mod request;
mod simulate;
mod state_test;
mod transaction;

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::chain::BATCHES;
use crate::error::{Error, Result};

create_exception!(rollup_sequencer_native, Refused, PyException, "The request is at fault: (reason, detail).");
create_exception!(rollup_sequencer_native, Temporary, PyException, "It may work later.");
create_exception!(rollup_sequencer_native, Fatal, PyException, "The engine must not be used any more.");
create_exception!(rollup_sequencer_native, Defect, PyException, "A read met a defect; nothing has changed.");
create_exception!(rollup_sequencer_native, DeadlineExceeded, PyException, "A read was stopped.");

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Refused::new_err((refusal.reason, refusal.detail)),
            Error::Temporary(text) => Temporary::new_err(text),
            Error::Fatal(text) => Fatal::new_err(text),
            Error::Defect(text) => Defect::new_err(text),
            Error::Deadline | Error::TooLarge => DeadlineExceeded::new_err(error.to_string()),
        }
    }
}

/// Runs `work` without Python's lock; a panic in it is a fatal error.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| caught(work).unwrap_or_else(|panic| Err(Error::Fatal(panic)))).map_err(PyErr::from)
}

/// As `detached` for a read, which anybody may ask for: a panic in it is a defect that costs the answer alone.
fn reading<T: Send>(py: Python<'_>, read: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| caught(read).unwrap_or_else(|panic| Err(Error::Defect(panic)))).map_err(PyErr::from)
}

/// As `reading` for what takes microseconds, which runs where it stands.
fn attached<T>(read: impl FnOnce() -> Result<T>) -> PyResult<T> {
    caught(read).unwrap_or_else(|panic| Err(Error::Defect(panic))).map_err(PyErr::from)
}

/// What `work` returns, or the text of its panic.
fn caught<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        format!("the engine panicked: {text}")
    })
}

/// `detached` on a thread of low priority, for batches, which users do not wait for.
fn detached_behind<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    detached(py, || BATCHES.run(work))
}

/// Registers everything in the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("Refused", py.get_type::<Refused>())?;
    module.add("Temporary", py.get_type::<Temporary>())?;
    module.add("Fatal", py.get_type::<Fatal>())?;
    module.add("Defect", py.get_type::<Defect>())?;
    module.add("DeadlineExceeded", py.get_type::<DeadlineExceeded>())?;
    module.add("FORKS", crate::state::FORKS.map(|(name, _)| name))?;
    module.add("EIGHT_AT_ONCE", crate::lanes::available())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<transaction::PyTransaction>()?;
    module.add_class::<outcome::PyOutcome>()?;
    module.add_class::<engine::PyEngine>()?;
    module.add_class::<block_rows::PyBlockRows>()?;
    module.add_class::<ingress::PySends>()?;
    module.add_class::<ingress::PySendReader>()?;
    module.add_class::<engine::PyPlainReads>()?;
    module.add_class::<idle_poll::PyIdlePoll>()?;
    module.add_class::<batch::PyBatchTransactions>()?;
    module.add_function(wrap_pyfunction!(flashblock::flashblock_roots, module)?)?;
    module.add_function(wrap_pyfunction!(flashblock::flashblock_tree, module)?)?;
    module.add_function(wrap_pyfunction!(flashblock::flashblock_entry, module)?)?;
    module.add_function(wrap_pyfunction!(transaction::recover, module)?)?;
    module.add_function(wrap_pyfunction!(transaction::decode, module)?)?;
    module.add_function(wrap_pyfunction!(batch::decode_transactions, module)?)?;
    module.add_function(wrap_pyfunction!(batch::body_hash, module)?)?;
    module.add_function(wrap_pyfunction!(batch::decode_arrivals, module)?)?;
    module.add_function(wrap_pyfunction!(state_test::run_state_test, module)?)?;
    Ok(())
}
