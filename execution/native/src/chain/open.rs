//! The open block: what was executed since `begin`, and the way back to any mark in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256, Bytes};
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteEvm, MainBuilder};

use super::progress::{Progress, Step};
use super::transact::{self, BEACON_ROOTS, Evm, Executed, HISTORY, surroundings, transact};
use crate::codec::header::{Header, environment};
use crate::codec::receipt::{Outcome, Unhashed};
use crate::codec::transaction::BLOB_GAS;
use crate::error::{Error, Refusal, Result, reason};
use crate::recover::Recovered;
use crate::state::{Account, Before, Hot, Layer, Sealed, StateDb, View, stack};

/// Every input of a block that is not a transaction.
#[derive(Debug, Clone)]
pub struct Attributes {
    pub number: u64,
    pub parent_hash: B256,
    pub timestamp: u64,
    pub gas_limit: u64,
    pub base_fee: u64,
    pub coinbase: Address,
    pub prev_randao: B256,
    pub extra_data: Vec<u8>,
    pub parent_beacon_block_root: B256,
}

/// The block being built. One thread at a time.
pub struct OpenBlock {
    pub attributes: Attributes,
    pub fork: SpecId,
    pub environment: BlockEnv,
    chain_id: u64,
    view: View,
    before: Before,
    progress: Progress,
    raws: Vec<Bytes>,
    outcomes: Vec<Arc<Outcome>>,
    gas_used: u64,
    blob_gas_used: u64,
    marks: BTreeMap<usize, Mark>,
}

/// A point to go back to, named by how many transactions led to it.
struct Mark {
    layers: Vec<Arc<Layer>>,
    gas_used: u64,
    blob_gas_used: u64,
}

/// One answer for each transaction that was to be executed.
pub type Answer = Result<Arc<Outcome>, Refusal>;

impl OpenBlock {
    /// Opens the block on top of `view`, from whose trie `progress` starts, and runs the system calls at its start.
    pub fn begin(
        attributes: Attributes,
        fork: SpecId,
        chain_id: u64,
        view: View,
        progress: Progress,
        hot: &mut Hot,
    ) -> Result<Self> {
        let environment = environment(
            attributes.number,
            attributes.coinbase,
            attributes.timestamp,
            attributes.gas_limit,
            attributes.base_fee,
            attributes.prev_randao,
            fork,
        );
        let mut block = Self {
            attributes,
            fork,
            environment,
            chain_id,
            view,
            before: Before::default(),
            progress,
            raws: Vec::new(),
            outcomes: Vec::new(),
            gas_used: 0,
            blob_gas_used: 0,
            marks: BTreeMap::new(),
        };
        let (beacon_root, parent_hash) = (block.attributes.parent_beacon_block_root, block.attributes.parent_hash);
        let layer = block.with_evm(hot, |evm| {
            transact::system_call(evm, BEACON_ROOTS, beacon_root)?;
            if fork >= SpecId::PRAGUE {
                transact::system_call(evm, HISTORY, parent_hash)?;
            }
            Ok(())
        })?;
        block.keep(layer.1, Vec::new(), Vec::new())?;
        Ok(block)
    }

    /// The state as far as it has been executed.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The accounts that are not, or were not always, as before the block.
    pub fn changed(&self) -> impl Iterator<Item = &Address> {
        self.before.accounts.keys()
    }

    /// Executes in order. Refused transactions leave no trace.
    pub fn apply(&mut self, transactions: &[Arc<Recovered>], hot: &mut Hot) -> Result<Vec<Answer>> {
        let (mut gas_used, mut blob_gas_used) = (self.gas_used, self.blob_gas_used);
        let gas_limit = self.attributes.gas_limit;
        let mut executed = Vec::with_capacity(transactions.len());
        let mut unhashed = Vec::with_capacity(transactions.len());
        let mut raws = Vec::with_capacity(transactions.len());
        let ((), layer) = self.with_evm(hot, |evm| {
            for recovered in transactions {
                let transaction = &recovered.transaction;
                if transaction.kind == 3 {
                    executed.push(Err(Refusal::new(reason::TYPE_NOT_SUPPORTED, "")));
                    continue;
                }
                executed.push(transact(evm, recovered, gas_limit - gas_used)?.map(|done| {
                    gas_used += done.gas_used;
                    blob_gas_used += BLOB_GAS * transaction.blob_hashes.len() as u64;
                    raws.push(transaction.raw.clone());
                    unhashed.push(outcome(transaction.kind, done, gas_used));
                }));
            }
            Ok(())
        })?;
        let mut outcomes = Unhashed::hash_all(unhashed);
        let mut answer = |()| Arc::new(outcomes.next().expect("one for each that was executed"));
        let answers: Vec<Answer> = executed.into_iter().map(|done| done.map(&mut answer)).collect();
        self.gas_used = gas_used;
        self.blob_gas_used = blob_gas_used;
        let outcomes = answers.iter().flatten().cloned().collect();
        self.keep(layer, raws, outcomes)?;
        Ok(answers)
    }

    pub fn mark(&mut self) -> usize {
        let mark = Mark { layers: self.view.open.clone(), gas_used: self.gas_used, blob_gas_used: self.blob_gas_used };
        self.marks.insert(self.outcomes.len(), mark);
        self.outcomes.len()
    }

    pub fn rewind(&mut self, name: usize) -> Result<()> {
        let Some(mark) = self.marks.get(&name) else {
            return Err(Error::Fatal(format!("there is no mark {name} in block {}", self.attributes.number)));
        };
        self.view.open.clone_from(&mark.layers);
        self.gas_used = mark.gas_used;
        self.blob_gas_used = mark.blob_gas_used;
        self.raws.truncate(name);
        self.outcomes.truncate(name);
        self.marks.split_off(&(name + 1));
        let step = Step { layer: self.layer(), raws: self.raws.clone(), outcomes: self.outcomes.clone() };
        self.progress.restart(step)
    }

    /// Credits the base fees to `fee_vault`, computes the roots, and closes the block.
    pub fn seal(mut self, fee_vault: Address, hot: &mut Hot) -> Result<Sealed> {
        self.credit(fee_vault, hot)?;
        let tries = self.progress.finish()?;
        let mut layer = self.layer();
        let mut bloom = Box::new([0; 256]);
        for outcome in self.outcomes.iter().filter(|outcome| !outcome.logs.is_empty()) {
            for (sum, byte) in bloom.iter_mut().zip(outcome.bloom()) {
                *sum |= byte;
            }
        }
        take_over(&tries.storage_roots, &mut layer, hot);
        let attributes = self.attributes;
        let header = Header {
            parent_hash: attributes.parent_hash,
            coinbase: attributes.coinbase,
            state_root: tries.state.root(),
            transactions_root: tries.transactions.root(),
            receipts_root: tries.receipts.root(),
            logs_bloom: bloom,
            number: attributes.number,
            gas_limit: attributes.gas_limit,
            gas_used: self.gas_used,
            timestamp: attributes.timestamp,
            extra_data: attributes.extra_data,
            prev_randao: attributes.prev_randao,
            base_fee: attributes.base_fee,
            parent_beacon_block_root: attributes.parent_beacon_block_root,
            blob_gas_used: self.blob_gas_used,
            with_requests: self.fork >= SpecId::PRAGUE,
        };
        let encoded = header.encode();
        let hash = alloy_primitives::keccak256(&encoded);
        Ok(Sealed { header, hash, encoded, layer, before: self.before, trie: tries.state, gone: tries.gone })
    }

    /// Runs `work` in an EVM on the block's state; what it changed comes back as a layer.
    fn with_evm<T>(&mut self, hot: &mut Hot, work: impl FnOnce(&mut Evm) -> Result<T>) -> Result<(T, Layer)> {
        hot.limit();
        let database = StateDb::new(self.view.clone(), std::mem::take(hot));
        let mut evm = surroundings(database, self.environment.clone(), self.chain_id, self.fork).build_mainnet();
        let done = work(&mut evm);
        let state = evm.finalize();
        let mut database = evm.ctx.journaled_state.database;
        // After an error nothing is kept, so the cache must not know what was done either.
        let layer = match done {
            Ok(done) => (done, database.absorb(state, &mut self.before)?),
            Err(error) => {
                *hot = database.hot;
                return Err(error);
            }
        };
        *hot = database.hot;
        Ok(layer)
    }

    fn keep(&mut self, layer: Layer, raws: Vec<Bytes>, outcomes: Vec<Arc<Outcome>>) -> Result<()> {
        self.raws.extend(raws.iter().cloned());
        self.outcomes.extend(outcomes.iter().cloned());
        if !layer.is_empty() {
            stack(&mut self.view.open, layer.clone());
        }
        self.progress.push(Step { layer, raws, outcomes })
    }

    fn credit(&mut self, fee_vault: Address, hot: &mut Hot) -> Result<()> {
        let amount =
            alloy_primitives::U256::from(self.attributes.base_fee) * alloy_primitives::U256::from(self.gas_used);
        if amount.is_zero() {
            return Ok(());
        }
        let old = self.view.account(&fee_vault)?;
        let account = old.unwrap_or_default();
        let new = Some(Account { balance: account.balance.wrapping_add(amount), ..account });
        self.before.accounts.entry(fee_vault).or_insert(old);
        hot.set_account(fee_vault, new);
        let mut layer = Layer::default();
        layer.accounts.insert(fee_vault, new);
        if old.is_none() {
            layer.created.insert(fee_vault);
        }
        self.keep(layer, Vec::new(), Vec::new())
    }

    /// Everything the block changed so far, as one layer.
    fn layer(&self) -> Layer {
        let mut layers = self.view.open.iter();
        let mut whole = layers.next().map(|first| (**first).clone()).unwrap_or_default();
        layers.for_each(|layer| whole.absorb(layer));
        whole
    }
}

/// Gives the accounts of `layer` and `hot` the storage roots that the tries found, by hashed address.
fn take_over(storage_roots: &B256Map<B256>, layer: &mut Layer, hot: &mut Hot) {
    if storage_roots.is_empty() {
        return;
    }
    for address in layer.slots.keys() {
        let Some(Some(account)) = layer.accounts.get_mut(address) else { continue };
        if let Some(root) = storage_roots.get(&alloy_primitives::keccak256(address)) {
            account.storage_root = *root;
            hot.set_storage_root(address, *root);
        }
    }
}

fn outcome(kind: u8, executed: Executed, cumulative_gas_used: u64) -> Unhashed {
    let Executed { succeeded, gas_used, contract_address, logs } = executed;
    Unhashed::new(kind, succeeded, gas_used, cumulative_gas_used, contract_address, logs)
}
