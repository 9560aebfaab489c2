//! The block store's rows of a sealed block.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use super::convert::bytes;
use super::detached;
use super::outcome::PyOutcome;
use super::transaction::PyTransaction;
use crate::codec::block_rows::BlockRows;

/// The rows of one block, which become Python's when they are asked for.
#[pyclass(frozen, name = "BlockRows", module = "rollup_sequencer_native")]
pub struct PyBlockRows(BlockRows);

#[pymethods]
impl PyBlockRows {
    /// Of a block whose transactions and outcomes are this engine's own objects; `TypeError` for others.
    #[new]
    fn new(
        py: Python<'_>,
        number: u64,
        transactions: &Bound<'_, PyTuple>,
        outcomes: &Bound<'_, PyTuple>,
    ) -> PyResult<Self> {
        let transactions =
            transactions.iter().map(|each| Ok(Arc::clone(&each.cast::<PyTransaction>()?.get().recovered)));
        let transactions = transactions.collect::<PyResult<Vec<_>>>()?;
        let outcomes = outcomes.iter().map(|each| Ok(Arc::clone(&each.cast::<PyOutcome>()?.get().0)));
        let outcomes = outcomes.collect::<PyResult<Vec<_>>>()?;
        Ok(Self(detached(py, || Ok(BlockRows::new(number, &transactions, &outcomes)))?))
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.body)
    }

    #[getter]
    fn receipts<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0.receipts)
    }

    /// At most `count` index rows from `start` on; empty behind the last one.
    fn index<'py>(&self, py: Python<'py>, start: usize, count: usize) -> PyResult<Bound<'py, PyDict>> {
        let rows = PyDict::new(py);
        for (key, value) in (start..self.0.index_len().min(start + count)).filter_map(|at| self.0.index_row(at)) {
            rows.set_item(bytes(py, &key), bytes(py, &value))?;
        }
        Ok(rows)
    }
}
