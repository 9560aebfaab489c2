//! Receipts: `type || rlp([status, cumulativeGasUsed, logsBloom, logs])`, without the type byte for type 0.

use alloy_primitives::{Address, B256, Bytes, Log, keccak256};

use super::rlp;

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
}

impl Outcome {
    pub fn new(
        kind: u8,
        succeeded: bool,
        gas_used: u64,
        cumulative_gas_used: u64,
        contract_address: Option<Address>,
        logs: Vec<Log>,
    ) -> Self {
        let receipt: Bytes = encode(kind, succeeded, cumulative_gas_used, &logs).into();
        let hash = keccak256(&receipt);
        Self { succeeded, gas_used, cumulative_gas_used, contract_address, logs, receipt, hash }
    }

    pub fn bloom(&self) -> Bloom {
        bloom_of(&self.logs)
    }
}

/// 2048 bits, three set for each address and topic of a log (Yellow Paper, section 4.3.1).
pub type Bloom = [u8; 256];

fn encode(kind: u8, succeeded: bool, cumulative_gas_used: u64, logs: &[Log]) -> Vec<u8> {
    let mut body = Vec::with_capacity(300);
    body.push(if succeeded { 0x01 } else { 0x80 });
    rlp::put_u64(&mut body, cumulative_gas_used);
    rlp::put_bytes(&mut body, &bloom_of(logs));
    rlp::put_list(&mut body, &logs_payload(logs));
    let mut receipt = Vec::with_capacity(body.len() + 5);
    if kind != 0 {
        receipt.push(kind);
    }
    rlp::put_list(&mut receipt, &body);
    receipt
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
