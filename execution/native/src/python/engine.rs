//! The engine's methods as the adapter calls them: plain values in, plain values out.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::convert::{Int, address, bytes, hash, logs, saturating_u64, word};
use super::outcome::PyOutcome;
use super::request::call_request;
use super::simulate::{simulated, simulation};
use super::transaction::{Given, refusal};
use super::{Fatal, attached, detached, reading};
use crate::chain::{
    At, Attributes, CallOutcome, Engine, Estimate, GenesisAccount, GenesisAccounts, PlainReads, Readers, Spec,
};
use crate::codec::header::Header;
use crate::error::{Error, Result};
use crate::state::{Account, fork_of};

/// One chain's engine on the files in a folder.
#[pyclass(frozen, name = "Engine", module = "rollup_sequencer_native")]
pub struct PyEngine {
    engine: RwLock<Option<Arc<Engine>>>,
    readers: Readers,
}

impl PyEngine {
    fn engine(&self) -> Result<Arc<Engine>> {
        let engine = self.engine.read().ok().and_then(|engine| engine.clone());
        engine.ok_or_else(|| Error::Fatal("the engine is closed".into()))
    }

    /// `reading` on one of the threads for reads that execute code, when its turn comes.
    fn aside<T: Send>(&self, py: Python<'_>, read: impl FnOnce(&Engine) -> Result<T> + Send) -> PyResult<T> {
        reading(py, || self.readers.run(|| read(&*self.engine()?)))
    }
}

/// What was found in the body of a request.
#[pyclass(frozen, name = "PlainReads", module = "rollup_sequencer_native")]
pub struct PyPlainReads(PlainReads);

#[pymethods]
impl PyPlainReads {
    #[getter]
    fn method(&self) -> &'static str {
        self.0.method()
    }
    fn __len__(&self) -> usize {
        self.0.count()
    }
}

/// Address, balance, nonce, code, slots and their values.
pub type AccountFields = (Vec<u8>, Int, u64, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn at(number: Option<u64>) -> At {
    number.map_or(At::Pending, At::Block)
}

fn until(deadline_s: f64) -> Instant {
    Instant::now() + Duration::try_from_secs_f64(deadline_s.clamp(0.0, 86_400.0)).unwrap_or_default()
}

pub fn genesis_account(account: AccountFields) -> PyResult<GenesisAccount> {
    let (owner, balance, nonce, code, storage) = account;
    let mut slots = Vec::with_capacity(storage.len());
    for (slot, value) in storage {
        slots.push((word(&slot)?, word(&value)?));
    }
    Ok(GenesisAccount { address: address(&owner)?, balance: balance.0, nonce, code: code.into(), storage: slots })
}

pub fn call_result(py: Python<'_>, outcome: CallOutcome) -> PyResult<Bound<'_, PyTuple>> {
    let events = logs(py, &outcome.logs)?;
    (bytes(py, &outcome.output), outcome.gas_used, outcome.reverted, outcome.halt, events).into_pyobject(py)
}

#[pymethods]
impl PyEngine {
    /// With `background`, one that works on a thread of low priority. At most `readers` reads execute code at once.
    #[new]
    #[pyo3(signature = (path, background = false, readers = 1))]
    fn new(py: Python<'_>, path: std::path::PathBuf, background: bool, readers: usize) -> PyResult<Self> {
        let open = || if background { Engine::in_background(&path) } else { Engine::new(&path) };
        Ok(Self { engine: RwLock::new(Some(Arc::new(detached(py, open)?))), readers: Readers::new(readers) })
    }

    /// Whether an engine in the background is late, and may take something from others.
    fn press(&self, late: bool) -> PyResult<()> {
        self.engine()?.press(late);
        Ok(())
    }

    /// Creates or finds the state of block 0; its root. The columns cross without a copy: 20 bytes an address, in
    /// ascending order, 32 bytes a balance, and in full those accounts that have more.
    fn open_genesis<'py>(
        &self,
        py: Python<'py>,
        addresses: &[u8],
        balances: &[u8],
        others: Vec<AccountFields>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let others = others.into_iter().map(genesis_account).collect::<PyResult<_>>()?;
        let accounts = GenesisAccounts::new(addresses, balances, others)
            .ok_or_else(|| PyValueError::new_err("the columns of the genesis accounts do not fit together"))?;
        let root = detached(py, || self.engine()?.open_genesis(&accounts))?;
        Ok(bytes(py, root.as_slice()))
    }

    /// Starts from the height on disk, given block 0's header.
    fn open(
        &self,
        py: Python<'_>,
        chain_id: u64,
        forks: Vec<(String, u64)>,
        fee_vault: &[u8],
        header: &[u8],
    ) -> PyResult<()> {
        let mut times = Vec::with_capacity(forks.len());
        for (name, time) in forks {
            let fork = fork_of(&name).ok_or_else(|| Fatal::new_err(format!("unknown fork {name}")))?;
            times.push((fork, time));
        }
        let spec = Spec { chain_id, forks: times, fee_vault: address(fee_vault)? };
        let header = Header::decode(header).map_err(PyValueError::new_err)?;
        detached(py, || self.engine()?.open(spec, &header))
    }

    fn height(&self) -> PyResult<u64> {
        Ok(self.engine()?.height()?)
    }

    #[allow(clippy::too_many_arguments)]
    fn begin(
        &self,
        py: Python<'_>,
        number: u64,
        parent_hash: &[u8],
        timestamp: u64,
        gas_limit: u64,
        base_fee: u64,
        coinbase: &[u8],
        prev_randao: &[u8],
        extra_data: &[u8],
        parent_beacon_block_root: &[u8],
    ) -> PyResult<()> {
        let attributes = Attributes {
            number,
            parent_hash: hash(parent_hash)?,
            timestamp,
            gas_limit,
            base_fee,
            coinbase: address(coinbase)?,
            prev_randao: hash(prev_randao)?,
            extra_data: extra_data.to_vec(),
            parent_beacon_block_root: hash(parent_beacon_block_root)?,
        };
        detached(py, || self.engine()?.drive(|engine| engine.begin(attributes)))
    }

    /// Executes in order: an `Outcome` or `(reason, detail)` for each.
    fn apply<'py>(&self, py: Python<'py>, transactions: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
        let given = transactions.iter().map(|object| Given::of(&object)).collect::<PyResult<Vec<_>>>()?;
        let answers = detached(py, || {
            let decoded = given.into_iter().map(Given::decoded).collect::<Result<Vec<_>>>()?;
            self.engine()?.drive(|engine| engine.apply(&decoded))
        })?;
        let objects = answers.into_iter().map(|answer| match answer {
            Ok(outcome) => Ok(Bound::new(py, PyOutcome(outcome))?.into_any()),
            Err(refused) => refusal(py, refused),
        });
        PyList::new(py, objects.collect::<PyResult<Vec<_>>>()?)
    }

    fn mark(&self, py: Python<'_>) -> PyResult<usize> {
        detached(py, || self.engine()?.mark())
    }

    fn rewind(&self, py: Python<'_>, mark: usize) -> PyResult<()> {
        detached(py, || self.engine()?.rewind(mark))
    }

    /// Closes the open block: hash and encoding of its header.
    fn seal<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let sealed = detached(py, || self.engine()?.drive(Engine::seal))?;
        Ok((bytes(py, sealed.hash.as_slice()), bytes(py, &sealed.encoded)))
    }

    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.engine()?.cancel())
    }

    fn commit(&self, py: Python<'_>, number: u64) -> PyResult<()> {
        detached(py, || self.engine()?.commit_behind(number))
    }

    fn unwind(&self, py: Python<'_>, to: u64) -> PyResult<()> {
        detached(py, || self.engine()?.unwind(to))
    }

    #[allow(clippy::type_complexity)]
    /// `(nonce, balance, code hash, delegated)` of each address; absent accounts look empty.
    fn accounts<'py>(
        &self,
        py: Python<'py>,
        addresses: Vec<Vec<u8>>,
        number: Option<u64>,
    ) -> PyResult<Vec<(u64, Int, Bound<'py, PyBytes>, bool)>> {
        let addresses = addresses.iter().map(|bytes| address(bytes)).collect::<PyResult<Vec<_>>>()?;
        let accounts = reading(py, || {
            let view = self.engine()?.view(at(number))?.0;
            addresses
                .iter()
                .map(|address| {
                    let Some(account) = view.account(address)? else { return Ok((Account::default(), false)) };
                    let plain = account.code_hash == alloy_primitives::KECCAK256_EMPTY;
                    let delegated = !plain && view.code(&account.code_hash)?.is_eip7702();
                    Ok((account, delegated))
                })
                .collect::<Result<Vec<(Account, bool)>>>()
        })?;
        let rows = accounts.into_iter().map(|(account, delegated)| {
            (account.nonce, Int(account.balance), bytes(py, account.code_hash.as_slice()), delegated)
        });
        Ok(rows.collect())
    }

    fn code<'py>(&self, py: Python<'py>, owner: &[u8], number: Option<u64>) -> PyResult<Bound<'py, PyBytes>> {
        let owner = address(owner)?;
        let code = reading(py, || {
            let view = self.engine()?.view(at(number))?.0;
            match view.account(&owner)? {
                Some(account) if account.code_hash != alloy_primitives::KECCAK256_EMPTY => {
                    Ok(view.code(&account.code_hash)?.original_bytes())
                }
                _ => Ok(Default::default()),
            }
        })?;
        Ok(bytes(py, &code))
    }

    fn storage<'py>(
        &self,
        py: Python<'py>,
        owner: &[u8],
        slots: Vec<Vec<u8>>,
        number: Option<u64>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let owner = address(owner)?;
        let slots = slots.iter().map(|slot| word(slot)).collect::<PyResult<Vec<_>>>()?;
        let values = reading(py, || {
            let view = self.engine()?.view(at(number))?.0;
            slots.iter().map(|slot| view.slot(&owner, slot)).collect::<Result<Vec<_>>>()
        })?;
        Ok(values.into_iter().map(|value| bytes(py, &value.to_be_bytes::<32>())).collect())
    }

    /// `(output, gas used, reverted, halt, logs)`.
    fn call<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, PyAny>,
        number: Option<u64>,
        gas_cap: &Bound<'py, PyAny>,
        deadline_s: f64,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let (request, gas_cap) = (call_request(request)?, saturating_u64(gas_cap)?);
        let outcome = self.aside(py, |engine| engine.call(request, at(number), gas_cap, until(deadline_s)))?;
        call_result(py, outcome)
    }

    /// The reads in a JSON-RPC body of at most `batch_limit` calls, if it is a plain one.
    #[staticmethod]
    fn plain_reads(body: &[u8], batch_limit: usize) -> Option<PyPlainReads> {
        PlainReads::of(body, batch_limit).map(PyPlainReads)
    }

    /// The encoded response to `reads`, or None for the general way to find out. Keeps Python's lock: to get it back
    /// would take longer than the work.
    fn answer_plain<'py>(
        &self,
        py: Python<'py>,
        reads: &PyPlainReads,
        gas_cap: u64,
        budget_s: f64,
        limit: usize,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let answer = attached(|| self.engine()?.answer_plain(&reads.0, gas_cap, until(budget_s), limit))?;
        Ok(answer.map(|answer| bytes(py, &answer)))
    }

    /// Gas, or what `call` returns for the result that no limit avoids.
    fn estimate<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, PyAny>,
        number: Option<u64>,
        gas_cap: &Bound<'py, PyAny>,
        deadline_s: f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (request, gas_cap) = (call_request(request)?, saturating_u64(gas_cap)?);
        match self.aside(py, |engine| engine.estimate(request, at(number), gas_cap, until(deadline_s)))? {
            Estimate::Gas(gas) => Ok(gas.into_pyobject(py)?.into_any()),
            Estimate::Fails(outcome) => Ok(call_result(py, outcome)?.into_any()),
        }
    }

    /// `((nonce, balance, storage root, code hash), nodes, [(value, nodes), ...])` (EIP-1186).
    #[allow(clippy::type_complexity)]
    fn proof<'py>(
        &self,
        py: Python<'py>,
        owner: &[u8],
        slots: Vec<Vec<u8>>,
        number: Option<u64>,
    ) -> PyResult<(
        (u64, Int, Bound<'py, PyBytes>, Bound<'py, PyBytes>),
        Vec<Bound<'py, PyBytes>>,
        Vec<(Int, Vec<Bound<'py, PyBytes>>)>,
    )> {
        let owner = address(owner)?;
        let slots = slots.iter().map(|slot| hash(slot)).collect::<PyResult<Vec<_>>>()?;
        let proof = self.aside(py, |engine| engine.proof(&owner, &slots, at(number)))?;
        let account = proof.account;
        let fields = (
            account.nonce,
            Int(account.balance),
            bytes(py, account.storage_root.as_slice()),
            bytes(py, account.code_hash.as_slice()),
        );
        let nodes = |nodes: Vec<alloy_primitives::Bytes>| nodes.iter().map(|node| bytes(py, node)).collect::<Vec<_>>();
        let slots = proof.slots.into_iter().map(|(value, proof)| (Int(value), nodes(proof))).collect();
        Ok((fields, nodes(proof.nodes), slots))
    }

    /// `([(address, keys), ...], gas used, what failed)` (`eth_createAccessList`).
    #[allow(clippy::type_complexity)]
    fn create_access_list<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, PyAny>,
        number: Option<u64>,
        gas_cap: &Bound<'py, PyAny>,
        deadline_s: f64,
    ) -> PyResult<(Vec<(Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>)>, Bound<'py, PyTuple>)> {
        let (request, gas_cap) = (call_request(request)?, saturating_u64(gas_cap)?);
        let found =
            self.aside(py, |engine| engine.create_access_list(request, at(number), gas_cap, until(deadline_s)))?;
        let entries = found.list.0.iter().map(|entry| {
            let keys = entry.storage_keys.iter().map(|key| bytes(py, key.as_slice())).collect();
            (bytes(py, entry.address.as_slice()), keys)
        });
        Ok((entries.collect(), call_result(py, found.outcome)?))
    }

    /// A call's trace as JSON, with geth's options as JSON (`debug_traceCall`).
    fn trace_call(
        &self,
        py: Python<'_>,
        request: &Bound<'_, PyAny>,
        number: Option<u64>,
        gas_cap: &Bound<'_, PyAny>,
        deadline_s: f64,
        options: &str,
    ) -> PyResult<String> {
        let (request, gas_cap) = (call_request(request)?, saturating_u64(gas_cap)?);
        self.aside(py, |engine| engine.trace_call(request, at(number), gas_cap, until(deadline_s), options))
    }

    #[allow(clippy::too_many_arguments)]
    /// Traces as JSON of the transactions `first..stop` of a sealed block, all of whose transactions are given.
    fn trace_block(
        &self,
        py: Python<'_>,
        number: u64,
        transactions: &Bound<'_, PyList>,
        first: usize,
        stop: usize,
        deadline_s: f64,
        options: &str,
    ) -> PyResult<Vec<String>> {
        let given = transactions.iter().map(|object| Given::of(&object)).collect::<PyResult<Vec<_>>>()?;
        self.aside(py, |engine| {
            let decoded = given.into_iter().map(Given::decoded).collect::<Result<Vec<_>>>()?;
            engine.trace_block(number, &decoded, first..stop, until(deadline_s), options)
        })
    }

    /// Blocks on top of one another that do not exist (`eth_simulateV1`).
    #[allow(clippy::type_complexity)]
    fn simulate<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, PyAny>,
        number: Option<u64>,
        gas_cap: &Bound<'py, PyAny>,
        deadline_s: f64,
    ) -> PyResult<Vec<(Bound<'py, PyBytes>, Vec<Bound<'py, PyTuple>>)>> {
        let (request, gas_cap) = (simulation(request)?, saturating_u64(gas_cap)?);
        let blocks = self.aside(py, |engine| engine.simulate(request, at(number), gas_cap, until(deadline_s)))?;
        blocks.into_iter().map(|block| simulated(py, block)).collect()
    }

    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.engine()?.sync())
    }

    /// Lets go of the files, once the reads that still run are done.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || match self.engine.write().map(|mut engine| engine.take()) {
            Ok(Some(engine)) => engine.settle(),
            _ => Ok(()),
        })
    }
}
