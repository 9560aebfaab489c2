//! `eth_call`: executes on a state and keeps nothing, as geth answers it.

use std::time::Instant;

use alloy_primitives::{Address, Bytes, Log, U256};
use revm::context::result::{EVMError, ExecutionResult};
use revm::context::transaction::AccessList;
use revm::context::{BlockEnv, TxEnv};
use revm::handler::{ExecuteEvm, MainBuilder};
use revm::inspector::{InspectEvm, Inspector, NoOpInspector};
use revm::primitives::TxKind;
use revm::primitives::hardfork::SpecId;
use revm::state::EvmState;

use super::block_override::BlockOverride;
use super::deadline::Deadline;
use super::engine::{Engine, Spec};
use super::halt;
use super::precompiles::Precompiles;
use super::reads::At;
use super::transact::{
    Surroundings, access_list, authorization_list, check_base_fee, failure, refusal_of, surroundings,
};
use crate::codec::transaction::{AccessListEntry, Authorization};
use crate::error::{Error, Refusal, Result, reason};
use crate::state::{Account, Hot, Override, StateDb, View};

/// A message call. Gas and fees are None when the caller left them out.
#[derive(Debug, Default)]
pub struct CallRequest {
    pub sender: Address,
    pub to: Option<Address>,
    pub data: Bytes,
    pub value: U256,
    pub gas_limit: Option<u64>,
    pub gas_price: Option<U256>,
    pub max_fee: Option<U256>,
    pub max_priority_fee: Option<U256>,
    pub access_list: Vec<AccessListEntry>,
    pub authorizations: Vec<Authorization>,
    /// Who signed each authorization.
    pub authorities: Vec<Option<Address>>,
    pub overrides: Vec<(Address, Override)>,
    pub block: BlockOverride,
    /// Only simulations look at it.
    pub nonce: Option<u64>,
}

impl CallRequest {
    /// Tip and fee cap; zero for both means that no fee is asked.
    pub fn fees(&self) -> (U256, U256) {
        match self.gas_price {
            Some(price) => (price, price),
            None => (self.max_priority_fee.unwrap_or_default(), self.max_fee.unwrap_or_default()),
        }
    }
}

/// What a call did. `halt` names an exceptional halt in geth's words.
#[derive(Debug, Clone, Default)]
pub struct CallOutcome {
    pub output: Bytes,
    pub gas_used: u64,
    pub gas_refunded: u64,
    pub reverted: bool,
    pub halt: String,
    pub logs: Vec<Log>,
}

impl CallOutcome {
    pub fn succeeded(&self) -> bool {
        !self.reverted && self.halt.is_empty()
    }
}

/// An inspector that may run out of room for what it records, and then ends the run with an error of its own.
pub trait Recorder {
    fn is_full(&self) -> bool {
        false
    }
}

impl Recorder for NoOpInspector {}

/// A run, what revm says of it, what it changed, and what the inspector saw.
pub struct Inspected<I> {
    pub outcome: CallOutcome,
    pub result: ExecutionResult,
    pub state: EvmState,
    pub inspector: I,
}

/// Where a call runs, with the overrides in place. Runs may follow one another; none sees another's changes.
pub struct Caller<'a> {
    request: &'a CallRequest,
    database: Option<StateDb>,
    block: BlockEnv,
    fork: SpecId,
    precompiles: Precompiles,
    chain_id: u64,
    deadline: Instant,
}

impl<'a> Caller<'a> {
    pub fn new(
        request: &'a mut CallRequest,
        around: (View, BlockEnv, SpecId),
        spec: &Spec,
        deadline: Instant,
    ) -> Result<Self> {
        let (view, mut block, mut fork) = around;
        let mut database = StateDb::new(view, Hot::default());
        database.blocks_below = block.number.saturating_to();
        request.block.apply(&mut block);
        if let Some(timestamp) = request.block.timestamp {
            fork = spec.fork_at(timestamp);
        }
        let precompiles = Precompiles::under(&request.overrides, fork)?;
        for (address, with) in std::mem::take(&mut request.overrides) {
            database.replace(address, with)?;
        }
        let (tip, cap) = request.fees();
        if tip.is_zero() && cap.is_zero() {
            // Without a price there is no base fee either, so that the sender need not pay.
            block.basefee = 0;
        }
        let (database, chain_id) = (Some(database), spec.chain_id);
        Ok(Self { request, database, block, fork, precompiles, chain_id, deadline })
    }

    pub fn block_gas_limit(&self) -> u64 {
        self.block.gas_limit
    }

    pub fn account(&mut self, address: &Address) -> Result<Account> {
        let database = self.database.as_mut().ok_or_else(lost)?;
        Ok(database.account(address)?.unwrap_or_default())
    }

    /// One run with this gas limit.
    pub fn run(&mut self, gas_limit: u64) -> Result<CallOutcome> {
        let deadline = Deadline::new(self.deadline);
        Ok(self.inspect(gas_limit, None, deadline, NoOpInspector)?.outcome)
    }

    /// One run that `inspector` watches, with `list` in place of the request's access list if there is one.
    pub fn inspect<I: Inspector<Surroundings> + Recorder>(
        &mut self,
        gas_limit: u64,
        list: Option<AccessList>,
        deadline: Deadline,
        inspector: I,
    ) -> Result<Inspected<I>> {
        let nonce = self.check(gas_limit)?;
        let mut environment = self.environment(gas_limit, nonce);
        environment.access_list = list.unwrap_or(environment.access_list);
        let database = self.database.take().ok_or_else(lost)?;
        let mut context = surroundings(database, self.block.clone(), self.chain_id, self.fork);
        context.cfg.disable_nonce_check = true;
        context.cfg.disable_eip3607 = true;
        context.cfg.disable_block_gas_limit = true;
        context.cfg.tx_gas_limit_cap = Some(u64::MAX);
        let mut evm =
            context.build_mainnet_with_inspector((deadline, inspector)).with_precompiles(self.precompiles.clone());
        let result = evm.inspect_one_tx(environment);
        let state = evm.finalize();
        let (time, inspector) = evm.inspector;
        self.database = Some(evm.ctx.journaled_state.database);
        if let Some(error) = time.stopped() {
            return Err(error);
        }
        if inspector.is_full() {
            return Err(Error::TooLarge);
        }
        match result {
            Ok(result) => {
                let outcome = outcome(result.clone(), time.opcode, time.stack_size);
                Ok(Inspected { outcome, result, state, inspector })
            }
            Err(EVMError::Transaction(invalid)) => Err(refusal_of(&invalid).into()),
            Err(error) => Err(failure(error)),
        }
    }

    /// The state that the runs see, overrides included.
    pub fn database(&mut self) -> Result<&mut StateDb> {
        self.database.as_mut().ok_or_else(lost)
    }

    /// geth's checks of a simulated message; returns the sender's nonce.
    fn check(&mut self, gas_limit: u64) -> Result<u64> {
        let sender = self.request.sender;
        let account = self.account(&sender)?;
        let (tip, cap) = self.request.fees();
        if cap < tip {
            let detail = format!("address {sender}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}");
            return Err(Refusal::new(reason::TIP_ABOVE_FEE_CAP, detail).into());
        }
        check_base_fee(&sender, cap, self.block.basefee)?;
        let fee = cap.checked_mul(U256::from(gas_limit));
        let Some(want) = fee.and_then(|fee| fee.checked_add(self.request.value)) else {
            let detail = format!("address {sender} required balance exceeds 256 bits");
            return Err(Refusal::new(reason::INSUFFICIENT_FUNDS, detail).into());
        };
        if account.balance < want {
            let detail = format!("address {sender} have {} want {want}", account.balance);
            return Err(Refusal::new(reason::INSUFFICIENT_FUNDS, detail).into());
        }
        Ok(account.nonce)
    }

    fn environment(&self, gas_limit: u64, nonce: u64) -> TxEnv {
        let request = self.request;
        let (tip, cap) = request.fees();
        TxEnv {
            tx_type: if request.authorizations.is_empty() { 2 } else { 4 },
            caller: request.sender,
            gas_limit,
            gas_price: cap.saturating_to(),
            kind: request.to.map_or(TxKind::Create, TxKind::Call),
            value: request.value,
            data: request.data.clone(),
            nonce,
            chain_id: Some(self.chain_id),
            access_list: access_list(&request.access_list),
            gas_priority_fee: Some(tip.saturating_to()),
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: 0,
            authorization_list: authorization_list(&request.authorizations, &request.authorities),
        }
    }
}

pub fn outcome(result: ExecutionResult, opcode: u8, stack_size: usize) -> CallOutcome {
    let gas_used = result.tx_gas_used();
    let gas_refunded = result.gas().final_refunded();
    let base = CallOutcome { gas_used, gas_refunded, ..CallOutcome::default() };
    match result {
        ExecutionResult::Success { output, logs, .. } => CallOutcome { output: output.into_data(), logs, ..base },
        ExecutionResult::Revert { output, .. } => CallOutcome { output, reverted: true, ..base },
        ExecutionResult::Halt { reason, .. } => {
            CallOutcome { halt: halt::describe(&reason, opcode, stack_size), ..base }
        }
    }
}

fn lost() -> Error {
    Error::Fatal("a call failed before and its state is gone".into())
}

impl Engine {
    /// `eth_call` at `at`, with at most `gas_cap` gas and until `deadline`.
    pub fn call(&self, mut request: CallRequest, at: At, gas_cap: u64, deadline: Instant) -> Result<CallOutcome> {
        let gas_limit = request.gas_limit.map_or(gas_cap, |limit| limit.min(gas_cap));
        let around = self.view(at)?;
        Caller::new(&mut request, around, self.spec()?, deadline)?.run(gas_limit)
    }
}
