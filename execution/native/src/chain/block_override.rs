//! What a simulated execution should find instead of the real block around it.

use alloy_primitives::{Address, B256, U256};
use revm::context::BlockEnv;
use revm::context_interface::block::BlobExcessGasAndPrice;

/// Fields of the block; None keeps the real one.
#[derive(Debug, Default, Clone)]
pub struct BlockOverride {
    pub number: Option<u64>,
    pub timestamp: Option<u64>,
    pub gas_limit: Option<u64>,
    pub coinbase: Option<Address>,
    pub prev_randao: Option<B256>,
    pub base_fee: Option<u64>,
    pub blob_base_fee: Option<u64>,
    pub parent_beacon_block_root: Option<B256>,
}

impl BlockOverride {
    pub fn apply(&self, block: &mut BlockEnv) {
        block.number = self.number.map_or(block.number, U256::from);
        block.timestamp = self.timestamp.map_or(block.timestamp, U256::from);
        block.gas_limit = self.gas_limit.unwrap_or(block.gas_limit);
        block.beneficiary = self.coinbase.unwrap_or(block.beneficiary);
        block.prevrandao = self.prev_randao.or(block.prevrandao);
        block.basefee = self.base_fee.unwrap_or(block.basefee);
        if let (Some(price), Some(blobs)) = (self.blob_base_fee, block.blob_excess_gas_and_price) {
            let priced = BlobExcessGasAndPrice { blob_gasprice: price.into(), ..blobs };
            block.blob_excess_gas_and_price = Some(priced);
        }
    }
}
