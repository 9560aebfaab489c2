//! Receipts: `type || rlp([status, cumulativeGasUsed, logsBloom, logs])`, without the type byte for type 0.

use alloy_primitives::{Address, B256, Bytes, Log, keccak256};

use super::rlp;
use crate::keccak;

/// What one executed transaction did, with its receipt made.
#[derive(Debug)]
pub struct Outcome {
    pub succeeded: bool,
    pub gas_used: u64,
    pub cumulative_gas_used: u64,
    pub contract_address: Option<Address>,
    pub logs: Vec<Log>,
    pub receipt: Bytes,
    pub hash: B256,
    bloom_at: usize,
}

impl Outcome {
    /// The bloom in the receipt.
    pub fn bloom(&self) -> &Bloom {
        self.receipt[self.bloom_at..].first_chunk().expect("where it was put")
    }
}

/// An outcome whose receipt has still to be hashed, so that those of many can be hashed together.
#[derive(Debug)]
pub struct Unhashed(Outcome);

impl Unhashed {
    pub fn new(
        kind: u8,
        succeeded: bool,
        gas_used: u64,
        cumulative_gas_used: u64,
        contract_address: Option<Address>,
        logs: Vec<Log>,
    ) -> Self {
        let (receipt, bloom_at) = encode(kind, succeeded, cumulative_gas_used, &logs);
        let (receipt, hash) = (receipt.into(), B256::ZERO);
        Self(Outcome { succeeded, gas_used, cumulative_gas_used, contract_address, logs, receipt, hash, bloom_at })
    }

    /// All but `hash`, which is zero.
    pub fn fields(&self) -> &Outcome {
        &self.0
    }

    /// The outcomes with their hashes.
    pub fn hash_all(unhashed: Vec<Self>) -> impl Iterator<Item = Outcome> {
        let hashes = keccak::digests(&unhashed.iter().map(|one| &one.0.receipt[..]).collect::<Vec<_>>());
        unhashed.into_iter().zip(hashes).map(|(one, hash)| Outcome { hash, ..one.0 })
    }
}

/// 2048 bits, three set for each address and topic of a log (Yellow Paper, section 4.3.1).
pub type Bloom = [u8; 256];

/// The receipt, and where its bloom begins.
fn encode(kind: u8, succeeded: bool, cumulative_gas_used: u64, logs: &[Log]) -> (Vec<u8>, usize) {
    let payload = logs_payload(logs);
    let mut body = Vec::with_capacity(280 + payload.len());
    body.push(if succeeded { 0x01 } else { 0x80 });
    rlp::put_u64(&mut body, cumulative_gas_used);
    rlp::put_bytes(&mut body, &bloom_of(logs));
    let behind_bloom = body.len();
    rlp::put_list(&mut body, &payload);
    let mut receipt = Vec::with_capacity(body.len() + 5);
    if kind != 0 {
        receipt.push(kind);
    }
    rlp::put_list(&mut receipt, &body);
    let bloom_at = receipt.len() - body.len() + behind_bloom - size_of::<Bloom>();
    (receipt, bloom_at)
}

/// The encoded logs, one after another.
pub fn logs_payload(logs: &[Log]) -> Vec<u8> {
    let mut payload = Vec::new();
    for log in logs {
        let mut topics = Vec::with_capacity(33 * log.topics().len());
        for topic in log.topics() {
            rlp::put_bytes(&mut topics, topic.as_slice());
        }
        let mut entry = Vec::with_capacity(topics.len() + log.data.data.len() + 40);
        rlp::put_bytes(&mut entry, log.address.as_slice());
        rlp::put_list(&mut entry, &topics);
        rlp::put_bytes(&mut entry, &log.data.data);
        rlp::put_list(&mut payload, &entry);
    }
    payload
}

fn bloom_of(logs: &[Log]) -> Bloom {
    let mut bloom = [0; 256];
    for log in logs {
        accrue(&mut bloom, log.address.as_slice());
        for topic in log.topics() {
            accrue(&mut bloom, topic.as_slice());
        }
    }
    bloom
}

fn accrue(bloom: &mut Bloom, data: &[u8]) {
    let hash = keccak256(data);
    for pair in [0, 2, 4] {
        let bit = (usize::from(hash[pair]) << 8 | usize::from(hash[pair + 1])) & 2047;
        bloom[255 - bit / 8] |= 1 << (bit % 8);
    }
}
