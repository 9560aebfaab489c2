//! Flashblocks as the adapter assembles them: hashes and bytes in, roots, trees and log entries out.

use alloy_primitives::B256;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::convert::{bytes, hash};
use crate::codec::flashblock::{Arrival, entry, leaves, levels, root};

fn hashes(given: &[Bound<'_, PyBytes>]) -> PyResult<Vec<B256>> {
    given.iter().map(|item| hash(item.as_bytes())).collect()
}

/// The roots over transaction hashes and over outcome hashes.
#[pyfunction]
pub fn flashblock_roots<'py>(
    py: Python<'py>,
    first_position: u32,
    transactions: Vec<Bound<'py, PyBytes>>,
    outcomes: Vec<Bound<'py, PyBytes>>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let order = root(leaves(first_position, &hashes(&transactions)?));
    let outcome = root(leaves(first_position, &hashes(&outcomes)?));
    Ok((bytes(py, order.as_slice()), bytes(py, outcome.as_slice())))
}

/// Every level of the tree over `hashes`, leaves first.
#[pyfunction]
pub fn flashblock_tree<'py>(
    py: Python<'py>,
    first_position: u32,
    given: Vec<Bound<'py, PyBytes>>,
) -> PyResult<Vec<Bound<'py, PyList>>> {
    let tree = levels(leaves(first_position, &hashes(&given)?));
    tree.iter().map(|level| PyList::new(py, level.iter().map(|node| bytes(py, node.as_slice())))).collect()
}

/// The bytes of a log entry, given the flashblock's fields as an encoded list.
#[pyfunction]
pub fn flashblock_entry<'py>(
    py: Python<'py>,
    fields: &[u8],
    transactions: Vec<Bound<'py, PyBytes>>,
    outcomes: Vec<Bound<'py, PyBytes>>,
    arrivals: Vec<Arrival>,
) -> PyResult<Bound<'py, PyBytes>> {
    let raws: Vec<&[u8]> = transactions.iter().map(|raw| raw.as_bytes()).collect();
    Ok(bytes(py, &entry(fields, &raws, &hashes(&outcomes)?, &arrivals)))
}
