//! One case of the `state_test` format: a transaction on a state of its own, without chain or store.

use alloy_primitives::{Address, B256, U256};
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteEvm, MainBuilder};

use super::genesis::{GenesisAccount, insert, with_trie};
use super::transact::{Executed, surroundings, transact};
use crate::codec::header::blob_fee_update_fraction;
use crate::error::{Refusal, Result};
use crate::recover::Recovered;
use crate::state::{Before, Hot, Layer, StateDb, View};
use crate::trie::{Context, InMemory, update};

/// The state, the block, and the transaction.
#[derive(Debug)]
pub struct StateTest {
    pub fork: SpecId,
    pub chain_id: u64,
    pub number: u64,
    pub timestamp: u64,
    pub gas_limit: u64,
    pub base_fee: u64,
    pub excess_blob_gas: u64,
    pub coinbase: Address,
    pub prev_randao: B256,
    pub accounts: Vec<GenesisAccount>,
}

/// The state root after it, and what it did.
#[derive(Debug)]
pub struct StateTestResult {
    pub root: B256,
    pub answer: Result<Executed, Refusal>,
}

impl StateTest {
    pub fn run(&self, transaction: &Recovered) -> Result<StateTestResult> {
        let mut layer = Layer::default();
        for account in &self.accounts {
            insert(&mut layer, account);
        }
        let (layer, trie) = with_trie(layer)?;
        let database = StateDb::new(View::in_memory(layer), Hot::default());
        let mut context = surroundings(database, self.block(), self.chain_id, self.fork);
        context.cfg.max_blobs_per_tx = Some(max_blobs(self.fork));
        let mut evm = context.build_mainnet();
        let answer = transact(&mut evm, transaction, self.gas_limit)?;
        let state = evm.finalize();
        let changed = evm.ctx.journaled_state.database.absorb(state, &mut Before::default())?;
        let (gone, roots) = (std::sync::Mutex::default(), std::sync::Mutex::default());
        let context = Context { source: &InMemory, owner: None, gone: &gone, storage_roots: &roots };
        let trie = update(trie, &changed.changes(), &context)?;
        Ok(StateTestResult { root: trie.root(), answer })
    }

    fn block(&self) -> BlockEnv {
        let mut block = BlockEnv {
            number: U256::from(self.number),
            beneficiary: self.coinbase,
            timestamp: U256::from(self.timestamp),
            gas_limit: self.gas_limit,
            basefee: self.base_fee,
            difficulty: U256::ZERO,
            prevrandao: Some(self.prev_randao),
            blob_excess_gas_and_price: None,
            slot_num: 0,
        };
        block.set_blob_excess_gas_and_price(self.excess_blob_gas, blob_fee_update_fraction(self.fork));
        block
    }
}

/// How many blobs a transaction may carry: the block's maximum, or less from Osaka on (EIP-7691, EIP-7594).
fn max_blobs(fork: SpecId) -> u64 {
    if fork == SpecId::PRAGUE { 9 } else { 6 }
}
