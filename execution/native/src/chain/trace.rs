//! `debug_trace*`: what happened inside an execution, in geth's shapes.
//!
//! Options are geth's JSON: `tracer` is `callTracer` or `prestateTracer` (with `tracerConfig`), or absent for the
//! log of every instruction. Traces are JSON text, which the caller passes on.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_trace::geth::{
    CallFrame, GethDebugBuiltInTracerType, GethDebugTracerType, GethDebugTracingOptions, StructLog,
};
use revm::bytecode::Bytecode;
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::handler::{ExecuteEvm, MainBuilder};
use revm::inspector::InspectEvm;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{Database, DatabaseRef};
use revm_inspectors::tracing::{TraceLimitBehavior, TraceLimits, TracingInspector, TracingInspectorConfig};

use super::call::{CallRequest, Caller, Recorder};
use super::deadline::Deadline;
use super::engine::Engine;
use super::failures::Failures;
use super::halt;
use super::reads::At;
use super::transact::{BEACON_ROOTS, HISTORY, environment, failure, surroundings, system_call};
use crate::error::{Error, Refusal, Result, reason};
use crate::recover::Recovered;
use crate::state::{Before, Hot, StateDb};

/// Bytes of memory and call data that a trace may hold.
const RECORDED_BYTES: usize = 1 << 28;

/// Who looks on: the words for failures come from the one, all else from the other.
type Watchers = (Failures, TracingInspector);

impl Recorder for Watchers {
    fn is_full(&self) -> bool {
        self.1.limit_exceeded()
    }
}

/// What to record, parsed.
struct Tracer {
    options: GethDebugTracingOptions,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Instructions,
    Calls,
    State,
}

impl Tracer {
    fn parse(options: &str) -> Result<Self> {
        let unreadable = |error: serde_json::Error| Refusal::malformed(format!("trace options: {error}"));
        let options: GethDebugTracingOptions = serde_json::from_str(options).map_err(unreadable)?;
        let kind = match &options.tracer {
            None => Kind::Instructions,
            Some(GethDebugTracerType::BuiltInTracer(GethDebugBuiltInTracerType::CallTracer)) => Kind::Calls,
            Some(GethDebugTracerType::BuiltInTracer(GethDebugBuiltInTracerType::PreStateTracer)) => Kind::State,
            Some(_) => return Err(Refusal::new(reason::MALFORMED, "this tracer is not there").into()),
        };
        Ok(Self { options, kind })
    }

    fn deadline(&self, at: Instant) -> Deadline {
        if matches!(self.kind, Kind::Instructions) { Deadline::of_recording(at) } else { Deadline::new(at) }
    }

    fn watchers(&self) -> Result<Watchers> {
        let config = &self.options.tracer_config;
        let inspector = TracingInspector::new(match self.kind {
            Kind::Instructions => TracingInspectorConfig::from_geth_config(&self.options.config),
            Kind::Calls => TracingInspectorConfig::from_geth_call_config(&parsed(config.clone().into_call_config())?),
            Kind::State => {
                TracingInspectorConfig::from_geth_prestate_config(&parsed(config.clone().into_pre_state_config())?)
            }
        })
        .with_limits(
            TraceLimits::default().set_max_recorded_bytes(Some(RECORDED_BYTES)).set_behavior(TraceLimitBehavior::Halt),
        );
        Ok((Failures::default(), inspector))
    }

    /// The trace as JSON. `database` is the state before the execution.
    fn render(
        &self,
        (failures, mut inspector): Watchers,
        run: ResultAndState,
        gas_limit: u64,
        database: &mut StateDb,
    ) -> Result<String> {
        inspector.set_transaction_gas_limit(gas_limit);
        let gas_used = run.result.tx_gas_used();
        let config = self.options.tracer_config.clone();
        let builder = inspector.into_geth_builder();
        match self.kind {
            Kind::Instructions => {
                let output = run.result.output().cloned().unwrap_or_default();
                let mut trace = builder.geth_traces(gas_used, output, self.options.config);
                complete(&mut trace.struct_logs, failures);
                json(&trace)
            }
            Kind::Calls => {
                let mut trace = builder.geth_call_traces(parsed(config.into_call_config())?, gas_used);
                if trace.error.is_some() {
                    trace.logs.clear();
                }
                tell(&mut trace, &failures, &mut 0);
                json(&trace)
            }
            Kind::State => {
                let config = parsed(config.into_pre_state_config())?;
                json(&builder.geth_prestate_traces(&run, &config, Shared(RefCell::new(database)))?)
            }
        }
    }
}

/// Gives frames, which come in the order in which they began, geth's words for what stopped them.
fn tell(frame: &mut CallFrame, failures: &Failures, number: &mut usize) {
    if let Some(words) = failures.frames.get(number) {
        frame.error = Some(words.clone());
    }
    *number += 1;
    for inner in frame.calls.iter_mut().filter(|inner| inner.typ != "SELFDESTRUCT") {
        tell(inner, failures, number);
    }
}

/// Gives instructions what geth's log has and revm's has not: words for what went wrong, names for opcodes that there
/// are not, and the refund counter of the transaction, of which revm knows each frame's part.
fn complete(logs: &mut [StructLog], mut failures: Failures) {
    let mut refunds: Vec<u64> = Vec::new();
    for (number, log) in logs.iter_mut().enumerate() {
        log.error = failures.instructions.remove(&number);
        if let Some(opcode) = failures.undefined.get(&number) {
            log.op = halt::undefined(*opcode).into();
            log.gas_cost = 0;
        }
        refunds.truncate(usize::try_from(log.depth).unwrap_or(usize::MAX).saturating_sub(1));
        refunds.push(log.refund_counter.unwrap_or_default());
        log.refund_counter = Some(refunds.iter().copied().fold(0, u64::wrapping_add));
    }
}

fn parsed<T>(config: std::result::Result<T, serde_json::Error>) -> Result<T> {
    config.map_err(|error| Refusal::malformed(format!("tracer config: {error}")).into())
}

fn json(trace: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(trace).map_err(|error| Error::Fatal(format!("a trace does not serialize: {error}")))
}

/// A database that is read through a shared reference, as the tracers want it.
struct Shared<'a>(RefCell<&'a mut StateDb>);

impl DatabaseRef for Shared<'_> {
    type Error = Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>> {
        self.0.borrow_mut().basic(address)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode> {
        self.0.borrow_mut().code_by_hash(code_hash)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256> {
        self.0.borrow_mut().storage(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256> {
        self.0.borrow_mut().block_hash(number)
    }
}

impl Engine {
    /// Traces a call on the state at `at`.
    pub fn trace_call(
        &self,
        mut request: CallRequest,
        at: At,
        gas_cap: u64,
        deadline: Instant,
        options: &str,
    ) -> Result<String> {
        let tracer = Tracer::parse(options)?;
        let gas_limit = request.gas_limit.map_or(gas_cap, |limit| limit.min(gas_cap));
        let around = self.view(at)?;
        let mut caller = Caller::new(&mut request, around, self.spec()?, deadline)?;
        let run = caller.inspect(gas_limit, None, tracer.deadline(deadline), tracer.watchers()?)?;
        let result = ResultAndState::new(run.result, run.state);
        tracer.render(run.inspector, result, gas_limit, caller.database()?)
    }

    /// Executes the transactions of sealed block `number` again and traces those in `wanted`, in order.
    pub fn trace_block(
        &self,
        number: u64,
        transactions: &[Arc<Recovered>],
        wanted: std::ops::Range<usize>,
        deadline: Instant,
        options: &str,
    ) -> Result<Vec<String>> {
        let tracer = Tracer::parse(options)?;
        let parent = number.checked_sub(1).ok_or_else(|| Error::Temporary("genesis has no transactions".into()))?;
        let header = self.header(number)?;
        let (_, block, fork) = self.view(At::Block(number))?;
        let chain_id = self.spec()?.chain_id;
        let mut database = StateDb::new(self.view(At::Block(parent))?.0, Hot::default());
        let mut before = Before::default();

        let mut evm = surroundings(database, block.clone(), chain_id, fork).build_mainnet();
        system_call(&mut evm, BEACON_ROOTS, header.parent_beacon_block_root)?;
        if fork >= SpecId::PRAGUE {
            system_call(&mut evm, HISTORY, header.parent_hash)?;
        }
        let state = evm.finalize();
        database = evm.ctx.journaled_state.database;
        database.absorb(state, &mut before)?;

        let mut traces = Vec::with_capacity(wanted.len());
        for (position, recovered) in transactions.iter().enumerate().take(wanted.end) {
            database.sender = recovered.sender;
            let watched = wanted.contains(&position);
            let inspector = if watched { tracer.watchers()? } else { Watchers::default() };
            let context = surroundings(database, block.clone(), chain_id, fork);
            let mut evm = context.build_mainnet_with_inspector((tracer.deadline(deadline), inspector));
            let transaction = environment(recovered);
            let result = if watched { evm.inspect_one_tx(transaction) } else { evm.transact_one(transaction) };
            let state = evm.finalize();
            let (time, inspector) = evm.inspector;
            database = evm.ctx.journaled_state.database;
            if let Some(error) = time.stopped() {
                return Err(error);
            }
            if inspector.is_full() {
                return Err(Error::TooLarge);
            }
            if Instant::now() > deadline {
                return Err(Error::Deadline);
            }
            let result: ExecutionResult = result.map_err(failure)?;
            if watched {
                let run = ResultAndState::new(result, state.clone());
                traces.push(tracer.render(inspector, run, recovered.transaction.gas_limit, &mut database)?);
            }
            database.absorb(state, &mut before)?;
        }
        Ok(traces)
    }
}
