//! Block headers: the consensus encoding and hash (EIP-1559, 4895, 4844, 4788, 7685).

use alloy_primitives::{Address, B256, U256, b256, keccak256};
use revm::primitives::hardfork::SpecId;

use super::rlp::{self, Malformed, Reader};

/// keccak256 of the RLP of an empty list.
pub const EMPTY_OMMERS: B256 = b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
/// sha256 of nothing: a rollup block carries no EIP-7685 requests.
const EMPTY_REQUESTS: B256 = b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// Root of a trie without entries.
pub const EMPTY_ROOT: B256 = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// The fields of a rollup header that are not constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub parent_hash: B256,
    pub coinbase: Address,
    pub state_root: B256,
    pub transactions_root: B256,
    pub receipts_root: B256,
    pub logs_bloom: Box<[u8; 256]>,
    pub number: u64,
    pub gas_limit: u64,
    pub gas_used: u64,
    pub timestamp: u64,
    pub extra_data: Vec<u8>,
    pub prev_randao: B256,
    pub base_fee: u64,
    pub parent_beacon_block_root: B256,
    pub blob_gas_used: u64,
    /// Prague and later carry the hash of the requests.
    pub with_requests: bool,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(640);
        for hash in [self.parent_hash, EMPTY_OMMERS] {
            rlp::put_bytes(&mut out, hash.as_slice());
        }
        rlp::put_bytes(&mut out, self.coinbase.as_slice());
        for hash in [self.state_root, self.transactions_root, self.receipts_root] {
            rlp::put_bytes(&mut out, hash.as_slice());
        }
        rlp::put_bytes(&mut out, &self.logs_bloom[..]);
        for number in [0, self.number, self.gas_limit, self.gas_used, self.timestamp] {
            rlp::put_u64(&mut out, number);
        }
        rlp::put_bytes(&mut out, &self.extra_data);
        rlp::put_bytes(&mut out, self.prev_randao.as_slice());
        rlp::put_bytes(&mut out, &[0; 8]);
        rlp::put_u64(&mut out, self.base_fee);
        rlp::put_bytes(&mut out, EMPTY_ROOT.as_slice());
        rlp::put_u64(&mut out, self.blob_gas_used);
        rlp::put_u64(&mut out, 0);
        rlp::put_bytes(&mut out, self.parent_beacon_block_root.as_slice());
        if self.with_requests {
            rlp::put_bytes(&mut out, EMPTY_REQUESTS.as_slice());
        }
        rlp::list(&out)
    }

    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }

    /// Reads a header that this node made.
    pub fn decode(encoded: &[u8]) -> Result<Self, Malformed> {
        let mut items = rlp::sole_list(encoded)?;
        let parent_hash = items.hash()?;
        skip(&mut items, 1)?;
        let coinbase = items.address()?;
        let (state_root, transactions_root, receipts_root) = (items.hash()?, items.hash()?, items.hash()?);
        let bloom: [u8; 256] = items.bytes()?.try_into().map_err(|_| "rlp: expected 256 bytes")?;
        skip(&mut items, 1)?;
        let (number, gas_limit, gas_used, timestamp) = (items.u64()?, items.u64()?, items.u64()?, items.u64()?);
        let extra_data = items.bytes()?.to_vec();
        let prev_randao = items.hash()?;
        skip(&mut items, 1)?;
        let base_fee = items.u64()?;
        skip(&mut items, 1)?;
        let blob_gas_used = items.u64()?;
        skip(&mut items, 1)?;
        let parent_beacon_block_root = items.hash()?;
        Ok(Self {
            parent_hash,
            coinbase,
            state_root,
            transactions_root,
            receipts_root,
            logs_bloom: Box::new(bloom),
            number,
            gas_limit,
            gas_used,
            timestamp,
            extra_data,
            prev_randao,
            base_fee,
            parent_beacon_block_root,
            blob_gas_used,
            with_requests: !items.is_empty(),
        })
    }

    /// The block environment in which this block's transactions run, or would have run.
    pub fn environment(&self, fork: SpecId) -> revm::context::BlockEnv {
        environment(self.number, self.coinbase, self.timestamp, self.gas_limit, self.base_fee, self.prev_randao, fork)
    }
}

/// The block environment of a rollup block: no blobs, hence the least blob price.
pub fn environment(
    number: u64,
    coinbase: Address,
    timestamp: u64,
    gas_limit: u64,
    base_fee: u64,
    prev_randao: B256,
    fork: SpecId,
) -> revm::context::BlockEnv {
    let mut block = revm::context::BlockEnv {
        number: U256::from(number),
        beneficiary: coinbase,
        timestamp: U256::from(timestamp),
        gas_limit,
        basefee: base_fee,
        difficulty: U256::ZERO,
        prevrandao: Some(prev_randao),
        blob_excess_gas_and_price: None,
        slot_num: 0,
    };
    block.set_blob_excess_gas_and_price(0, blob_fee_update_fraction(fork));
    block
}

/// How fast the blob price moves (EIP-4844, EIP-7691).
pub fn blob_fee_update_fraction(fork: SpecId) -> u64 {
    if fork >= SpecId::PRAGUE { 5_007_716 } else { 3_338_477 }
}

fn skip(items: &mut Reader<'_>, count: usize) -> Result<(), Malformed> {
    for _ in 0..count {
        items.item()?;
    }
    Ok(())
}
