//! Values in and out: bytes, and integers beyond 64 bits.

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyInt, PyTuple, PyType};

/// A Python integer of any size that fits 256 bits.
pub struct Int(pub U256);

impl<'py> IntoPyObject<'py> for Int {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        if let Ok(small) = u64::try_from(self.0) {
            return Ok(small.into_pyobject(py)?.into_any());
        }
        if let Ok(large) = u128::try_from(self.0) {
            return Ok(large.into_pyobject(py)?.into_any());
        }
        let bytes = PyBytes::new(py, &self.0.to_be_bytes::<32>());
        py.get_type::<PyInt>().call_method1("from_bytes", (bytes, "big"))
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Int {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(small) = object.extract::<u64>() {
            return Ok(Self(U256::from(small)));
        }
        let bytes = object.call_method1("to_bytes", (32, "big"))?;
        Ok(Self(U256::from_be_slice(bytes.extract::<&[u8]>()?)))
    }
}

/// An integer as far as 64 bits go: more gas than that is as good as the most.
pub fn saturating_u64(object: &Bound<'_, PyAny>) -> PyResult<u64> {
    Ok(object.extract::<Int>()?.0.saturating_to())
}

pub fn address(bytes: &[u8]) -> PyResult<Address> {
    Address::try_from(bytes).map_err(|_| PyValueError::new_err("an address has 20 bytes"))
}

pub fn hash(bytes: &[u8]) -> PyResult<B256> {
    B256::try_from(bytes).map_err(|_| PyValueError::new_err("a hash has 32 bytes"))
}

pub fn word(bytes: &[u8]) -> PyResult<U256> {
    Ok(hash(bytes)?.into())
}

pub fn owned(object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    Ok(Bytes::copy_from_slice(object.extract::<&[u8]>()?))
}

pub fn bytes<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, data)
}

/// A class of the node's core, which is imported once, when first needed.
pub fn core_class<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyType>>,
    module: &str,
    name: &str,
) -> PyResult<Bound<'py, PyType>> {
    cell.import(py, module, name).cloned()
}

static LOG: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// A tuple of the core's `Log`.
pub fn logs<'py>(py: Python<'py>, logs: &[Log]) -> PyResult<Bound<'py, PyTuple>> {
    if logs.is_empty() {
        return Ok(PyTuple::empty(py));
    }
    let class = core_class(py, &LOG, "sequencer.core.receipt", "Log")?;
    let mut objects = Vec::with_capacity(logs.len());
    for log in logs {
        let topics = PyTuple::new(py, log.topics().iter().map(|topic| bytes(py, topic.as_slice())))?;
        objects.push(class.call1((bytes(py, log.address.as_slice()), topics, bytes(py, &log.data.data)))?);
    }
    PyTuple::new(py, objects)
}
