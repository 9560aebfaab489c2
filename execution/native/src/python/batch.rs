//! The transactions section of a batch body.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use super::detached;
use crate::batch::{self, Bounds};
use crate::error::Refusal;

/// The section of raw transactions.
#[pyfunction]
pub fn encode_transactions(py: Python<'_>, raws: Vec<PyBackedBytes>) -> PyResult<Bound<'_, PyBytes>> {
    let section = detached(py, || Ok(batch::encode(&raws)))?;
    Ok(PyBytes::new(py, &section))
}

/// The raw transactions of a section. Raises `Refused`.
#[pyfunction]
pub fn decode_transactions<'py>(
    py: Python<'py>,
    section: PyBackedBytes,
    count: usize,
    max_transaction_bytes: usize,
    max_data_bytes: usize,
) -> PyResult<Bound<'py, PyList>> {
    let bounds = Bounds { transaction: max_transaction_bytes, data: max_data_bytes };
    let raws = detached(py, || Ok(batch::decode(&section, count, bounds).map_err(Refusal::malformed)?))?;
    PyList::new(py, raws.iter().map(|raw| PyBytes::new(py, raw)))
}
