//! The piece of the engine that runs cases of the `state_test` format.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::convert::{address, bytes, hash, logs};
use super::detached;
use super::engine::{AccountFields, genesis_account};
use super::transaction::Given;
use crate::chain::StateTest;
use crate::state::fork_of;

/// Runs one transaction on a state of its own: `(state root, logs, None or (reason, detail))`.
#[pyfunction]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
pub fn run_state_test<'py>(
    py: Python<'py>,
    fork: &str,
    block: &Bound<'py, PyAny>,
    accounts: Vec<AccountFields>,
    transaction: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyTuple>, Option<(&'static str, String)>)> {
    let number = |name: &str| -> PyResult<u64> { super::convert::saturating_u64(&block.getattr(name)?) };
    let test = StateTest {
        fork: fork_of(fork).ok_or_else(|| PyValueError::new_err(format!("unknown fork {fork}")))?,
        chain_id: number("chain_id")?,
        number: number("number")?,
        timestamp: number("timestamp")?,
        gas_limit: number("gas_limit")?,
        base_fee: number("base_fee_per_gas")?,
        excess_blob_gas: number("excess_blob_gas")?,
        coinbase: address(block.getattr("coinbase")?.extract()?)?,
        prev_randao: hash(block.getattr("prev_randao")?.extract()?)?,
        accounts: accounts.into_iter().map(genesis_account).collect::<PyResult<_>>()?,
    };
    let given = Given::of(transaction)?;
    let result = detached(py, || test.run(&*given.decoded()?))?;
    let root = bytes(py, result.root.as_slice());
    match result.answer {
        Ok(executed) => Ok((root, logs(py, &executed.logs)?, None)),
        Err(refused) => Ok((root, PyTuple::empty(py), Some((refused.reason, refused.detail)))),
    }
}
