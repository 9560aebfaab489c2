//! What `eth_simulateV1` is asked and answers, and the plan of its blocks.

use alloy_primitives::{Address, B256};

use super::block_override::BlockOverride;
use super::call::{CallOutcome, CallRequest};
use crate::codec::header::Header;
use crate::codec::transaction::Transaction;
use crate::error::{Refusal, reason};
use crate::state::Override;

/// How far simulated blocks may reach beyond the one that they begin with.
const BLOCKS: u64 = 256;
/// Seconds from one simulated block to the next, where the caller does not say otherwise.
const BLOCK_TIME: u64 = 12;

/// Blocks to simulate. `validation` asks for nonces and fees as a real block does.
#[derive(Debug, Default)]
pub struct Simulation {
    pub blocks: Vec<BlockCalls>,
    pub validation: bool,
    pub trace_transfers: bool,
    /// Whether headers get the root of their state; zero stands there otherwise.
    pub state_roots: bool,
    pub fees: FeeRule,
}

/// One block: what it finds changed, and its calls in order.
#[derive(Debug, Default)]
pub struct BlockCalls {
    pub block: BlockOverride,
    pub accounts: Vec<(Address, Override)>,
    pub calls: Vec<CallRequest>,
}

/// EIP-1559 with a minimum, as the chain has it.
#[derive(Debug, Default, Clone, Copy)]
pub struct FeeRule {
    pub minimum: u64,
    pub elasticity: u64,
    pub denominator: u64,
}

impl FeeRule {
    /// The base fee of the block after `parent`.
    pub fn after(&self, parent: &Header) -> u64 {
        let (base_fee, used) = (u128::from(parent.base_fee), u128::from(parent.gas_used));
        let target = u128::from(parent.gas_limit / self.elasticity.max(1));
        let step = |distance: u128| {
            (base_fee * distance).checked_div(target).unwrap_or(0) / u128::from(self.denominator.max(1))
        };
        let next = if used > target {
            base_fee + step(used - target).max(1)
        } else {
            base_fee.saturating_sub(step(target - used)).max(self.minimum.into())
        };
        next.try_into().unwrap_or(u64::MAX)
    }
}

/// A simulated block's header, its hash, and what its calls did.
#[derive(Debug)]
pub struct SimulatedBlock {
    pub encoded: Vec<u8>,
    pub hash: B256,
    pub calls: Vec<SimulatedCall>,
}

/// A call as the transaction that it became, and what it did. The logs tell of transfers too if that was asked.
#[derive(Debug)]
pub struct SimulatedCall {
    pub transaction: Transaction,
    pub outcome: CallOutcome,
    pub log_indexes: Vec<u64>,
    pub max_gas_used: u64,
}

/// The blocks with numbers and times in them, and empty blocks where numbers were left out.
pub fn planned(base: &Header, blocks: Vec<BlockCalls>) -> Result<Vec<BlockCalls>, Refusal> {
    let mut planned = Vec::with_capacity(blocks.len());
    let (mut number, mut timestamp) = (base.number, base.timestamp);
    for mut block in blocks {
        let wanted = block.block.number.unwrap_or(number.saturating_add(1));
        if wanted <= number {
            return Err(Refusal::new(reason::BLOCK_NUMBER_ORDER, format!("{wanted} <= {number}")));
        }
        if wanted - base.number > BLOCKS {
            return Err(Refusal::new(reason::TOO_MANY_BLOCKS, ""));
        }
        for skipped in number + 1..wanted {
            timestamp = timestamp.saturating_add(BLOCK_TIME);
            planned.push(BlockCalls { block: placed(skipped, timestamp), ..BlockCalls::default() });
        }
        let time = block.block.timestamp.unwrap_or(timestamp.saturating_add(BLOCK_TIME));
        if time <= timestamp {
            return Err(Refusal::new(reason::BLOCK_TIME_ORDER, format!("{time} <= {timestamp}")));
        }
        (number, timestamp) = (wanted, time);
        block.block = BlockOverride { number: Some(number), timestamp: Some(time), ..block.block };
        planned.push(block);
    }
    Ok(planned)
}

fn placed(number: u64, timestamp: u64) -> BlockOverride {
    BlockOverride { number: Some(number), timestamp: Some(timestamp), ..BlockOverride::default() }
}
