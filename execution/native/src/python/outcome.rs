//! Outcomes as Python holds them: one pointer to what Rust executed.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::convert::{bytes, logs};
use crate::codec::receipt::Outcome;

/// What a transaction did; `sequencer.core.receipt.Outcome` says what the attributes mean.
#[pyclass(frozen, name = "Outcome", module = "rollup_sequencer_native")]
pub struct PyOutcome(pub Arc<Outcome>);

#[pymethods]
impl PyOutcome {
    #[getter]
    fn succeeded(&self) -> bool {
        self.0.succeeded
    }
    #[getter]
    fn gas_used(&self) -> u64 {
        self.0.gas_used
    }
    #[getter]
    fn cumulative_gas_used(&self) -> u64 {
        self.0.cumulative_gas_used
    }
    #[getter]
    fn contract_address<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.contract_address.map(|address| bytes(py, address.as_slice()))
    }
    #[getter]
    fn logs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        logs(py, &self.0.logs)
    }
    #[getter]
    fn logs_bloom<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.0.bloom())
    }
    #[getter]
    fn receipt<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.receipt)
    }
    #[getter]
    fn outcome_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.0.hash.as_slice())
    }
    fn __repr__(&self) -> String {
        format!("<Outcome {} gas {}>", if self.0.succeeded { "success" } else { "failure" }, self.0.gas_used)
    }
}
