//! Transactions as Python holds them: one pointer to what Rust decoded.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alloy_primitives::{Address, Bytes};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyTuple, PyType};

use super::convert::{Int, bytes, core_class};
use super::reading;
use crate::codec::transaction::Transaction;
use crate::error::{Error, Refusal};
use crate::recover::{EntryRules, Recovered, recover_all, with_sender};
use crate::state::fork_of;

/// A recovered transaction; `sequencer.core.transaction.Transaction` says what the attributes mean.
#[pyclass(frozen, name = "Transaction", module = "rollup_sequencer_native")]
pub struct PyTransaction {
    pub recovered: Arc<Recovered>,
    /// What is asked for a dozen times on the way of a transaction, and stands in as many tables.
    hash: Py<PyBytes>,
    sender: Py<PyBytes>,
}

static ACCESS_LIST_ENTRY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static AUTHORIZATION: PyOnceLock<Py<PyType>> = PyOnceLock::new();
const CORE: &str = "sequencer.core.transaction";

impl PyTransaction {
    fn new(py: Python<'_>, recovered: Arc<Recovered>) -> Self {
        let hash = bytes(py, recovered.transaction.hash.as_slice()).unbind();
        let sender = bytes(py, recovered.sender.as_slice()).unbind();
        Self { recovered, hash, sender }
    }

    fn inner(&self) -> &Transaction {
        &self.recovered.transaction
    }
}

#[pymethods]
impl PyTransaction {
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.inner().raw)
    }
    #[getter]
    fn hash(&self, py: Python<'_>) -> Py<PyBytes> {
        self.hash.clone_ref(py)
    }
    #[getter]
    fn signing_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.inner().signing_hash.as_slice())
    }
    #[getter]
    fn sender(&self, py: Python<'_>) -> Py<PyBytes> {
        self.sender.clone_ref(py)
    }
    #[getter]
    fn r#type(&self) -> u8 {
        self.inner().kind
    }
    #[getter]
    fn chain_id(&self) -> Option<Int> {
        self.inner().chain_id.map(Int)
    }
    #[getter]
    fn nonce(&self) -> u64 {
        self.inner().nonce
    }
    #[getter]
    fn max_priority_fee_per_gas(&self) -> Int {
        Int(self.inner().max_priority_fee)
    }
    #[getter]
    fn max_fee_per_gas(&self) -> Int {
        Int(self.inner().max_fee)
    }
    #[getter]
    fn gas_limit(&self) -> u64 {
        self.inner().gas_limit
    }
    #[getter]
    fn to<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.inner().to.map(|to| bytes(py, to.as_slice()))
    }
    #[getter]
    fn value(&self) -> Int {
        Int(self.inner().value)
    }
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.inner().data)
    }
    #[getter]
    fn access_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let entries = &self.inner().access_list;
        if entries.is_empty() {
            return Ok(PyTuple::empty(py));
        }
        let class = core_class(py, &ACCESS_LIST_ENTRY, CORE, "AccessListEntry")?;
        let mut objects = Vec::with_capacity(entries.len());
        for entry in entries {
            let keys = PyTuple::new(py, entry.storage_keys.iter().map(|key| bytes(py, key.as_slice())))?;
            objects.push(class.call1((bytes(py, entry.address.as_slice()), keys))?);
        }
        PyTuple::new(py, objects)
    }
    #[getter]
    fn authorizations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let wishes = &self.inner().authorizations;
        if wishes.is_empty() {
            return Ok(PyTuple::empty(py));
        }
        let class = core_class(py, &AUTHORIZATION, CORE, "Authorization")?;
        let mut objects = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let address = bytes(py, wish.address.as_slice());
            let fields = (Int(wish.chain_id), address, wish.nonce, wish.y_parity, Int(wish.r), Int(wish.s));
            objects.push(class.call1(fields)?);
        }
        PyTuple::new(py, objects)
    }
    #[getter]
    fn blob_hashes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner().blob_hashes.iter().map(|hash| bytes(py, hash.as_slice())))
    }
    #[getter]
    fn max_fee_per_blob_gas(&self) -> Int {
        Int(self.inner().max_fee_per_blob_gas)
    }
    #[getter]
    fn y_parity(&self) -> u8 {
        self.inner().y_parity
    }
    #[getter]
    fn r(&self) -> Int {
        Int(self.inner().r)
    }
    #[getter]
    fn s(&self) -> Int {
        Int(self.inner().s)
    }
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().inner().raw == self.inner().raw)
    }
    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.inner().hash.hash(&mut hasher);
        hasher.finish()
    }
    fn __repr__(&self) -> String {
        format!("<Transaction {} from {}>", self.inner().hash, self.recovered.sender)
    }
}

/// A transaction handed in by Python: one of ours, or raw bytes and a known sender.
pub enum Given {
    Ours(Arc<Recovered>),
    Plain(Bytes, Address),
}

impl Given {
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(ours) = object.cast::<PyTransaction>() {
            return Ok(Self::Ours(Arc::clone(&ours.get().recovered)));
        }
        let raw = super::convert::owned(&object.getattr("raw")?)?;
        let sender = super::convert::address(object.getattr("sender")?.extract()?)?;
        Ok(Self::Plain(raw, sender))
    }

    pub fn decoded(self) -> Result<Arc<Recovered>, Error> {
        match self {
            Self::Ours(recovered) => Ok(recovered),
            Self::Plain(raw, sender) => Ok(Arc::new(with_sender(Transaction::decode(raw)?, sender))),
        }
    }
}

/// A refusal as Python gets it in a list of answers.
pub fn refusal<'py>(py: Python<'py>, refusal: Refusal) -> PyResult<Bound<'py, PyAny>> {
    Ok((refusal.reason, refusal.detail).into_pyobject(py)?.into_any())
}

/// Decodes, checks and recovers raw transactions; a `Transaction` or `(reason, detail)` for each, in order.
#[pyfunction]
#[pyo3(signature = (raws, chain_id, fork, gas_limit, minimum_fee, minimum_tip, size_limit))]
#[allow(clippy::too_many_arguments)]
pub fn recover<'py>(
    py: Python<'py>,
    raws: &Bound<'py, PyList>,
    chain_id: Int,
    fork: &str,
    gas_limit: u64,
    minimum_fee: Int,
    minimum_tip: Int,
    size_limit: usize,
) -> PyResult<Bound<'py, PyList>> {
    let rules = EntryRules {
        chain_id: chain_id.0,
        fork: fork_of(fork).ok_or_else(|| PyValueError::new_err(format!("unknown fork {fork}")))?,
        gas_limit,
        minimum_fee: minimum_fee.0,
        minimum_tip: minimum_tip.0,
        size_limit,
    };
    let raws = raws.iter().map(|raw| super::convert::owned(&raw)).collect::<PyResult<Vec<_>>>()?;
    let answers = reading(py, || Ok(recover_all(&raws, &rules)))?;
    let objects = answers.into_iter().map(|answer| match answer {
        Ok(recovered) => Ok(Bound::new(py, PyTransaction::new(py, recovered))?.into_any()),
        Err(refused) => refusal(py, refused),
    });
    PyList::new(py, objects.collect::<PyResult<Vec<_>>>()?)
}

/// Decodes and recovers one transaction without entry rules. Raises `Refused`.
#[pyfunction]
pub fn decode(py: Python<'_>, raw: &[u8]) -> PyResult<PyTransaction> {
    let raw = Bytes::copy_from_slice(raw);
    let recovered = reading(py, || Ok(crate::recover::recover(Transaction::decode(raw)?)?))?;
    Ok(PyTransaction::new(py, Arc::new(recovered)))
}
