//! `eth_simulateV1`: blocks that do not exist, one on top of the other, as geth makes them.
//!
//! The first stands on a sealed block, or in place of the open block on top of what is pre-confirmed. State and
//! block overrides hold from their block on, moved precompiles in theirs only. Everything lives in one database
//! that is dropped at the end.

use std::sync::Mutex;
use std::time::Instant;

use alloy_primitives::{Address, B256, Bytes, U256};
use revm::context::result::EVMError;
use revm::context::{BlockEnv, TxEnv};
use revm::handler::{ExecuteEvm, MainBuilder};
use revm::inspector::InspectEvm;
use revm::primitives::TxKind;
use revm::primitives::hardfork::SpecId;

use super::block_override::BlockOverride;
use super::call::{CallOutcome, CallRequest, outcome};
use super::deadline::Deadline;
use super::engine::{Engine, Spec};
use super::precompiles::Precompiles;
use super::reads::At;
use super::simulation::{BlockCalls, FeeRule, SimulatedBlock, SimulatedCall, Simulation, planned};
use super::transact::{
    self, BEACON_ROOTS, HISTORY, access_list, authorization_list, check_fees, check_funds, check_gas, check_nonce,
    failure, refusal_of, surroundings,
};
use super::transfers::Transfers;
use crate::codec::header::{Header, environment};
use crate::codec::receipt::Unhashed;
use crate::codec::transaction::Transaction;
use crate::error::{Error, Refusal, Result, reason};
use crate::state::{Before, Hot, Layer, Override, Snapshot, StateDb, View};
use crate::trie::{Child, Context, OrderedTrie, update};

/// The block that a simulation begins with, the state to read, and the trie below that state's open layers.
struct Base {
    header: Header,
    hash: B256,
    view: View,
    trie: Option<(Child, Snapshot)>,
}

impl Engine {
    pub fn simulate(
        &self,
        simulation: Simulation,
        at: At,
        gas_cap: u64,
        deadline: Instant,
    ) -> Result<Vec<SimulatedBlock>> {
        let Base { header, hash, view, trie } = self.base(at, simulation.state_roots)?;
        let Simulation { blocks, validation, trace_transfers, fees, .. } = simulation;
        let blocks = planned(&header, blocks)?;
        let trie = trie.map(|(root, source)| StateTrie::new(root, source, &view)).transpose()?;
        let mut database = StateDb::new(view, Hot::default());
        database.blocks_below = header.number + 1;
        let mut chain = Simulated {
            spec: self.spec()?,
            validation,
            trace_transfers,
            fees,
            database: Some(database),
            before: Before::default(),
            trie,
            gas_left: gas_cap,
            deadline,
        };
        let mut parent = (header, hash);
        let mut done = Vec::with_capacity(blocks.len());
        for block in blocks {
            let (header, calls) = chain.block(block, &parent)?;
            let encoded = header.encode();
            let hash = alloy_primitives::keccak256(&encoded);
            chain.database()?.simulated.insert(header.number, hash);
            done.push(SimulatedBlock { encoded, hash, calls });
            parent = (header, hash);
        }
        Ok(done)
    }

    fn base(&self, at: At, with_trie: bool) -> Result<Base> {
        let open = self.read(|chain| {
            let newest = || ((*chain.newest.header).clone(), chain.newest.hash);
            Ok(chain.pending.as_ref().map(|(view, ..)| (view.clone(), newest())))
        })?;
        let (view, (header, hash)) = match (at, open) {
            (At::Pending, Some(open)) => open,
            _ => {
                let (view, block, _) = self.view(at)?;
                let header = self.header(block.number.saturating_to())?;
                let hash = header.hash();
                (view, (header, hash))
            }
        };
        let trie = with_trie.then(|| self.trie_at(header.number)).transpose()?;
        Ok(Base { header, hash, view, trie })
    }
}

/// The trie of the simulated state.
struct StateTrie {
    root: Child,
    source: Snapshot,
}

impl StateTrie {
    fn new(root: Child, source: Snapshot, view: &View) -> Result<Self> {
        let mut trie = Self { root, source };
        for layer in &view.open {
            trie.change(layer)?;
        }
        Ok(trie)
    }

    fn change(&mut self, layer: &Layer) -> Result<()> {
        let (gone, roots) = (Mutex::default(), Mutex::default());
        let context = Context { source: &self.source, owner: None, gone: &gone, storage_roots: &roots };
        self.root = update(std::mem::take(&mut self.root), &layer.changes(), &context)?;
        Ok(())
    }
}

/// The state between the blocks.
struct Simulated<'a> {
    spec: &'a Spec,
    validation: bool,
    trace_transfers: bool,
    fees: FeeRule,
    database: Option<StateDb>,
    before: Before,
    trie: Option<StateTrie>,
    /// Of all calls together.
    gas_left: u64,
    deadline: Instant,
}

/// The block that runs.
struct Around {
    environment: BlockEnv,
    fork: SpecId,
    precompiles: Precompiles,
}

/// What the calls of a block come to.
#[derive(Default)]
struct Sums {
    layer: Layer,
    gas_used: u64,
    next_log: u64,
    base_fees: U256,
    raws: Vec<Bytes>,
    receipts: Vec<Unhashed>,
}

impl Simulated<'_> {
    fn database(&mut self) -> Result<&mut StateDb> {
        self.database.as_mut().ok_or_else(lost)
    }

    fn block(&mut self, block: BlockCalls, parent: &(Header, B256)) -> Result<(Header, Vec<SimulatedCall>)> {
        let mut header = self.header(&block.block, parent);
        let fork = self.spec.fork_at(header.timestamp);
        header.with_requests = fork >= SpecId::PRAGUE;
        let mut environment = environment(
            header.number,
            header.coinbase,
            header.timestamp,
            header.gas_limit,
            header.base_fee,
            header.prev_randao,
            fork,
        );
        block.block.apply(&mut environment);
        let around = Around { environment, fork, precompiles: Precompiles::under(&block.accounts, fork)? };
        let mut sums = Sums { layer: self.replace(block.accounts)?, ..Sums::default() };
        self.system_calls(&around, &header, &mut sums)?;
        let mut calls = Vec::with_capacity(block.calls.len());
        for request in block.calls {
            calls.push(self.call(request, &around, &mut sums)?);
        }
        self.credit(&mut sums)?;
        self.roots(&mut header, sums)?;
        Ok((header, calls))
    }

    /// The header as far as it is known before the calls. What is not overridden comes from the parent, but for
    /// randomness and beacon root, which are zero.
    fn header(&self, with: &BlockOverride, (parent, hash): &(Header, B256)) -> Header {
        let base_fee = if self.validation { self.fees.after(parent) } else { 0 };
        Header {
            parent_hash: *hash,
            coinbase: with.coinbase.unwrap_or(parent.coinbase),
            number: with.number.unwrap_or(parent.number + 1),
            gas_limit: with.gas_limit.unwrap_or(parent.gas_limit),
            timestamp: with.timestamp.unwrap_or(parent.timestamp),
            extra_data: Vec::new(),
            prev_randao: with.prev_randao.unwrap_or_default(),
            base_fee: with.base_fee.unwrap_or(base_fee),
            parent_beacon_block_root: with.parent_beacon_block_root.unwrap_or_default(),
            blob_gas_used: 0,
            ..parent.clone()
        }
    }

    /// Puts the overrides in place; what they change of the trie comes back.
    fn replace(&mut self, overrides: Vec<(Address, Override)>) -> Result<Layer> {
        let (mut emptied, mut layer) = (Layer::default(), Layer::default());
        let database = self.database.as_mut().ok_or_else(lost)?;
        for (address, with) in overrides {
            let was_there = database.account(&address)?.is_some();
            let whole = with.state.is_some();
            let slots: Vec<_> = with.state.iter().flatten().chain(&with.state_diff).copied().collect();
            database.replace(address, with)?;
            let account = database.account(&address)?.filter(|account| !account.is_empty());
            if was_there && whole {
                emptied.accounts.insert(address, None);
            }
            if !was_there || whole {
                layer.created.insert(address);
            }
            if account.is_some() && !slots.is_empty() {
                layer.slots.insert(address, slots.into_iter().collect());
            }
            layer.accounts.insert(address, account);
        }
        if let Some(trie) = &mut self.trie
            && !emptied.is_empty()
        {
            trie.change(&emptied)?;
        }
        Ok(layer)
    }

    fn system_calls(&mut self, around: &Around, header: &Header, sums: &mut Sums) -> Result<()> {
        let database = self.database.take().ok_or_else(lost)?;
        let context = surroundings(database, around.environment.clone(), self.spec.chain_id, around.fork);
        let mut evm = context.build_mainnet();
        if around.fork >= SpecId::PRAGUE {
            transact::system_call(&mut evm, HISTORY, header.parent_hash)?;
        }
        transact::system_call(&mut evm, BEACON_ROOTS, header.parent_beacon_block_root)?;
        let state = evm.finalize();
        let mut database = evm.ctx.journaled_state.database;
        sums.layer.absorb(&database.absorb(state, &mut self.before)?);
        self.database = Some(database);
        Ok(())
    }

    fn call(&mut self, request: CallRequest, around: &Around, sums: &mut Sums) -> Result<SimulatedCall> {
        if Instant::now() >= self.deadline {
            return Err(Error::Deadline);
        }
        let transaction = self.transaction(&request, around, sums)?;
        let gas_limit = transaction.gas_limit;
        self.check(&transaction, &request.sender, around).map_err(|error| supplied(error, gas_limit))?;
        let environment = self.environment(&request, &transaction);
        let price = base_fee_paid(&transaction, around.environment.basefee);
        let transfers = Transfers::new(self.trace_transfers, sums.next_log);
        let (mut outcome, max_gas_used, transfers) = self.run(environment, around, transfers, sums)?;
        let (log_indexes, logs, next_log) = transfers.finish();
        // A receipt knows nothing of transfers.
        let receipt_logs = std::mem::replace(&mut outcome.logs, logs);
        sums.next_log = next_log;
        self.gas_left -= outcome.gas_used;
        sums.gas_used += outcome.gas_used;
        sums.base_fees += price * U256::from(outcome.gas_used);
        let (kind, succeeded, gas_used) = (transaction.kind, outcome.succeeded(), outcome.gas_used);
        sums.receipts.push(Unhashed::new(kind, succeeded, gas_used, sums.gas_used, None, receipt_logs));
        sums.raws.push(transaction.raw.clone());
        Ok(SimulatedCall { transaction, outcome, log_indexes, max_gas_used })
    }

    /// The request as a transaction, with what the caller left out: the next nonce, and all the gas that is left.
    fn transaction(&mut self, request: &CallRequest, around: &Around, sums: &Sums) -> Result<Transaction> {
        let block_limit = around.environment.gas_limit;
        let asked = request.gas_limit.unwrap_or(block_limit - sums.gas_used);
        if sums.gas_used.saturating_add(asked) > block_limit {
            return Err(Refusal::new(reason::BLOCK_GAS_LIMIT, format!("{} >= {block_limit}", sums.gas_used)).into());
        }
        let nonce = match request.nonce {
            Some(nonce) => nonce,
            None => self.database()?.account(&request.sender)?.map_or(0, |account| account.nonce),
        };
        let (tip, cap) = request.fees();
        let kind = match (request.gas_price, request.authorizations.is_empty()) {
            (Some(_), _) => 0,
            (None, false) => 4,
            (None, true) => 2,
        };
        Ok(Transaction {
            raw: Bytes::new(),
            hash: B256::ZERO,
            signing_hash: B256::ZERO,
            kind,
            chain_id: (kind != 0).then(|| U256::from(self.spec.chain_id)),
            nonce,
            max_priority_fee: tip,
            max_fee: cap,
            gas_limit: asked.min(self.gas_left),
            to: request.to,
            value: request.value,
            data: request.data.clone(),
            access_list: request.access_list.clone(),
            authorizations: request.authorizations.clone(),
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: U256::ZERO,
            y_parity: 0,
            r: U256::ZERO,
            s: U256::ZERO,
        }
        .unsigned())
    }

    /// geth's checks in its order. Who has code may send, and nobody signs.
    fn check(&mut self, transaction: &Transaction, sender: &Address, around: &Around) -> Result<()> {
        let account = self.database()?.account(sender)?.unwrap_or_default();
        if self.validation {
            check_nonce(transaction, sender, account.nonce)?;
        }
        if self.validation || !free(transaction) {
            check_fees(transaction, sender, around.environment.basefee)?;
        }
        check_funds(transaction, sender, account.balance)?;
        if transaction.kind == 4 && transaction.to.is_none() {
            return Err(Refusal::new(reason::SET_CODE_CREATION, "").into());
        }
        Ok(check_gas(transaction, self.gas_left, around.fork)?)
    }

    fn environment(&self, request: &CallRequest, transaction: &Transaction) -> TxEnv {
        TxEnv {
            tx_type: if request.authorizations.is_empty() { 2 } else { 4 },
            caller: request.sender,
            gas_limit: transaction.gas_limit,
            gas_price: transaction.max_fee.saturating_to(),
            kind: request.to.map_or(TxKind::Create, TxKind::Call),
            value: request.value,
            data: request.data.clone(),
            nonce: transaction.nonce,
            chain_id: Some(self.spec.chain_id),
            access_list: access_list(&request.access_list),
            gas_priority_fee: Some(transaction.max_priority_fee.saturating_to()),
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: 0,
            authorization_list: authorization_list(&request.authorizations, &request.authorities),
        }
    }

    /// Executes, keeps the changes, and tells the most gas that was in use at once.
    fn run(
        &mut self,
        environment: TxEnv,
        around: &Around,
        transfers: Transfers,
        sums: &mut Sums,
    ) -> Result<(CallOutcome, u64, Transfers)> {
        let gas_limit = environment.gas_limit;
        let mut database = self.database.take().ok_or_else(lost)?;
        database.sender = environment.caller;
        let mut context = surroundings(database, around.environment.clone(), self.spec.chain_id, around.fork);
        context.cfg.disable_nonce_check = !self.validation;
        context.cfg.disable_base_fee = !self.validation && environment.gas_price == 0;
        context.cfg.disable_eip3607 = true;
        context.cfg.disable_block_gas_limit = true;
        context.cfg.tx_gas_limit_cap = Some(u64::MAX);
        let mut evm = context
            .build_mainnet_with_inspector((Deadline::new(self.deadline), transfers))
            .with_precompiles(around.precompiles.clone());
        let result = evm.inspect_one_tx(environment);
        let state = evm.finalize();
        let (Deadline { passed, opcode, stack_size, .. }, transfers) = evm.inspector;
        let mut database = evm.ctx.journaled_state.database;
        if passed {
            return Err(Error::Deadline);
        }
        let result = result.map_err(|error| match error {
            EVMError::Transaction(invalid) => supplied(refusal_of(&invalid).into(), gas_limit),
            error => failure(error),
        })?;
        sums.layer.absorb(&database.absorb(state, &mut self.before)?);
        self.database = Some(database);
        let max_gas_used = result.gas().total_gas_spent().max(result.gas().floor_gas());
        Ok((outcome(result, opcode, stack_size), max_gas_used, transfers))
    }

    /// The base fees that were paid go where a real block's go.
    fn credit(&mut self, sums: &mut Sums) -> Result<()> {
        if sums.base_fees.is_zero() {
            return Ok(());
        }
        let fee_vault = self.spec.fee_vault;
        let database = self.database()?;
        let old = database.account(&fee_vault)?;
        let mut account = old.unwrap_or_default();
        account.balance = account.balance.wrapping_add(sums.base_fees);
        database.hot.set_account(fee_vault, Some(account));
        let mut layer = Layer::default();
        layer.accounts.insert(fee_vault, Some(account));
        if old.is_none() {
            layer.created.insert(fee_vault);
        }
        sums.layer.absorb(&layer);
        Ok(())
    }

    fn roots(&mut self, header: &mut Header, sums: Sums) -> Result<()> {
        let (mut transactions, mut receipts) = (OrderedTrie::default(), OrderedTrie::default());
        transactions.extend(sums.raws.iter().map(|raw| raw.as_ref()))?;
        receipts.extend(sums.receipts.iter().map(|outcome| outcome.fields().receipt.as_ref()))?;
        let mut bloom = Box::new([0; 256]);
        for receipt in sums.receipts.iter().map(Unhashed::fields).filter(|receipt| !receipt.logs.is_empty()) {
            bloom.iter_mut().zip(receipt.bloom()).for_each(|(sum, byte)| *sum |= byte);
        }
        if let Some(trie) = &mut self.trie {
            trie.change(&sums.layer)?;
        }
        header.state_root = self.trie.as_ref().map_or(B256::ZERO, |trie| trie.root.root());
        header.transactions_root = transactions.root();
        header.receipts_root = receipts.root();
        header.logs_bloom = bloom;
        header.gas_used = sums.gas_used;
        Ok(())
    }
}

/// What of the price per gas is base fee: all of it for a call that pays less, which only goes without validation.
fn base_fee_paid(transaction: &Transaction, base_fee: u64) -> U256 {
    transaction.max_fee.min(U256::from(base_fee))
}

fn free(transaction: &Transaction) -> bool {
    transaction.max_fee.is_zero() && transaction.max_priority_fee.is_zero()
}

/// As geth tells of a refused call: with the gas that it had.
fn supplied(error: Error, gas_limit: u64) -> Error {
    match error {
        Error::Refused(Refusal { reason, detail }) => {
            let gap = if detail.is_empty() { "" } else { " " };
            Refusal::new(reason, format!("{detail}{gap}(supplied gas {gas_limit})")).into()
        }
        other => other,
    }
}

fn lost() -> Error {
    Error::Fatal("a simulated call failed before and its state is gone".into())
}
