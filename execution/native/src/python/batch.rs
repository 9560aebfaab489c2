//! The parts of a batch body that grow with its transactions.

use alloy_primitives::keccak256;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use super::convert::bytes;
use super::detached_behind;
use crate::batch::{self, Bounds, arrivals};
use crate::codec::flashblock::{self, Arrival};
use crate::error::Refusal;

/// The section of raw transactions.
#[pyfunction]
pub fn encode_transactions(py: Python<'_>, raws: Vec<PyBackedBytes>) -> PyResult<Bound<'_, PyBytes>> {
    let section = detached_behind(py, || Ok(batch::encode(&raws)))?;
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
    let raws = detached_behind(py, || Ok(batch::decode(&section, count, bounds).map_err(Refusal::malformed)?))?;
    PyList::new(py, raws.iter().map(|raw| PyBytes::new(py, raw)))
}

/// Whether the section reads as exactly `raws`.
#[pyfunction]
pub fn holds_transactions(
    py: Python<'_>,
    section: PyBackedBytes,
    raws: Vec<PyBackedBytes>,
    max_transaction_bytes: usize,
    max_data_bytes: usize,
) -> PyResult<bool> {
    let bounds = Bounds { transaction: max_transaction_bytes, data: max_data_bytes };
    detached_behind(py, || {
        let read = batch::decode(&section, raws.len(), bounds);
        Ok(read.is_ok_and(|read| read.iter().zip(&raws).all(|(read, raw)| read[..] == raw[..])))
    })
}

/// The order roots of flashblocks: `(position of the first, count)` of each, and the raw transactions of all.
#[pyfunction]
pub fn order_roots<'py>(
    py: Python<'py>,
    flashblocks: Vec<(u32, usize)>,
    raws: Vec<PyBackedBytes>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let roots = detached_behind(py, || {
        let mut rest = raws.iter();
        let root = |(first, count): &(u32, usize)| {
            let hashes: Vec<_> = rest.by_ref().take(*count).map(keccak256).collect();
            flashblock::root(flashblock::leaves(*first, &hashes))
        };
        Ok(flashblocks.iter().map(root).collect::<Vec<_>>())
    })?;
    Ok(roots.iter().map(|root| bytes(py, root.as_slice())).collect())
}

/// The columns of arrivals.
#[pyfunction]
pub fn encode_arrivals(py: Python<'_>, given: Vec<Arrival>) -> PyResult<Bound<'_, PyBytes>> {
    let columns = detached_behind(py, || Ok(arrivals::encode(&given)))?;
    Ok(bytes(py, &columns))
}

/// The `count` arrivals in the columns that begin at `start`, and where these end. Raises `Refused`.
#[pyfunction]
pub fn decode_arrivals(
    py: Python<'_>,
    data: PyBackedBytes,
    start: usize,
    count: usize,
) -> PyResult<(Vec<Arrival>, usize)> {
    detached_behind(py, || Ok(arrivals::decode(&data, start, count).map_err(Refusal::malformed)?))
}

/// Where the columns that begin at `start` end, if they read as exactly `given`.
#[pyfunction]
pub fn holds_arrivals(
    py: Python<'_>,
    data: PyBackedBytes,
    start: usize,
    given: Vec<Arrival>,
) -> PyResult<Option<usize>> {
    detached_behind(py, || {
        let read = arrivals::decode(&data, start, given.len());
        Ok(read.ok().filter(|(read, _)| *read == given).map(|(_, end)| end))
    })
}

/// Keccak-256 of a whole body.
#[pyfunction]
pub fn body_hash(py: Python<'_>, body: PyBackedBytes) -> PyResult<Bound<'_, PyBytes>> {
    let hash = detached_behind(py, || Ok(keccak256(&body)))?;
    Ok(bytes(py, hash.as_slice()))
}
