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
use crate::keccak;

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

/// Keccak-256 of a whole body.
#[pyfunction]
pub fn body_hash(py: Python<'_>, body: PyBackedBytes) -> PyResult<Bound<'_, PyBytes>> {
    let hash = detached_behind(py, || Ok(keccak256(&body)))?;
    Ok(bytes(py, hash.as_slice()))
}

/// The transactions of flashblocks that follow one another, with their arrivals: out of Python's objects once, for all
/// that a batch needs of them.
#[pyclass(name = "BatchTransactions", module = "rollup_sequencer_native")]
#[derive(Default)]
pub struct PyBatchTransactions {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    arrivals: Vec<Arrival>,
    /// How many transactions each flashblock has.
    counts: Vec<usize>,
}

impl PyBatchTransactions {
    fn raws(&self) -> Vec<&[u8]> {
        let mut start = 0;
        self.ends.iter().map(|end| &self.bytes[std::mem::replace(&mut start, *end)..*end]).collect()
    }
}

#[pymethods]
impl PyBatchTransactions {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Take those of the next flashblock.
    fn add(&mut self, transactions: Vec<Bound<'_, PyBytes>>, mut arrivals: Vec<Arrival>) {
        for raw in &transactions {
            self.bytes.extend_from_slice(raw.as_bytes());
            self.ends.push(self.bytes.len());
        }
        self.arrivals.append(&mut arrivals);
        self.counts.push(transactions.len());
    }

    /// `uint size || section || arrivals`, as a body has them.
    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let columns = detached_behind(py, || Ok(batch::encode_all(&self.raws(), &self.arrivals)))?;
        Ok(bytes(py, &columns))
    }

    /// Where what begins at `start` of `data` ends, if it reads as exactly these.
    fn holds(
        &self,
        py: Python<'_>,
        data: PyBackedBytes,
        start: usize,
        max_transaction_bytes: usize,
        max_data_bytes: usize,
    ) -> PyResult<Option<usize>> {
        let bounds = Bounds { transaction: max_transaction_bytes, data: max_data_bytes };
        detached_behind(py, || Ok(batch::holds(&data, start, &self.raws(), &self.arrivals, bounds)))
    }

    /// The order root of each flashblock, given the position of its first transaction.
    fn order_roots<'py>(&self, py: Python<'py>, firsts: Vec<u32>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let roots = detached_behind(py, || {
            let hashes = keccak::digests(&self.raws());
            let mut rest = &hashes[..];
            let root = |(first, count): (&u32, &usize)| {
                let (own, others) = rest.split_at(*count);
                rest = others;
                flashblock::root(flashblock::leaves(*first, own))
            };
            Ok(firsts.iter().zip(&self.counts).map(root).collect::<Vec<_>>())
        })?;
        Ok(roots.iter().map(|root| bytes(py, root.as_slice())).collect())
    }
}
