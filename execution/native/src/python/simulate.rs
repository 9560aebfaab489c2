//! Simulations from the core's `Simulation` objects, and what they answer.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::convert::bytes;
use super::engine::call_result;
use super::request::{account_overrides, block_override, call_request, each};
use crate::chain::{BlockCalls, FeeRule, SimulatedBlock, SimulatedCall, Simulation};

pub fn simulation(object: &Bound<'_, PyAny>) -> PyResult<Simulation> {
    let fees = object.getattr("fees")?;
    Ok(Simulation {
        blocks: each(&object.getattr("blocks")?)?.iter().map(block_calls).collect::<PyResult<_>>()?,
        validation: object.getattr("validation")?.extract()?,
        trace_transfers: object.getattr("trace_transfers")?.extract()?,
        state_roots: object.getattr("state_roots")?.extract()?,
        fees: FeeRule {
            minimum: fees.getattr("minimum_base_fee_wei")?.extract()?,
            elasticity: fees.getattr("elasticity")?.extract()?,
            denominator: fees.getattr("denominator")?.extract()?,
        },
    })
}

fn block_calls(object: &Bound<'_, PyAny>) -> PyResult<BlockCalls> {
    Ok(BlockCalls {
        block: block_override(&object.getattr("block")?)?,
        accounts: account_overrides(&object.getattr("accounts")?)?,
        calls: each(&object.getattr("calls")?)?.iter().map(call_request).collect::<PyResult<_>>()?,
    })
}

type Header<'py> = Bound<'py, PyBytes>;

/// `(header, [(unsigned transaction, most gas used, numbers of its logs, what `call` returns), ...])`
pub fn simulated<'py>(py: Python<'py>, block: SimulatedBlock) -> PyResult<(Header<'py>, Vec<Bound<'py, PyTuple>>)> {
    let calls = block.calls.into_iter().map(|call| simulated_call(py, call)).collect::<PyResult<Vec<_>>>()?;
    Ok((bytes(py, &block.encoded), calls))
}

fn simulated_call<'py>(py: Python<'py>, call: SimulatedCall) -> PyResult<Bound<'py, PyTuple>> {
    let SimulatedCall { transaction, outcome, log_indexes, max_gas_used } = call;
    (bytes(py, &transaction.raw), max_gas_used, PyTuple::new(py, log_indexes)?, call_result(py, outcome)?)
        .into_pyobject(py)
}
