//! The rows of a sealed block in the node's block store, made in one go.
//!
//! `sequencer/storage/rows.py`, `postings.py` and `table.py` draw the formats and are the twins in Python: both give
//! the same bytes for the same block.

use std::sync::Arc;

use alloy_primitives::B256;
use alloy_primitives::map::HashMap;

use super::receipt::Outcome;
use crate::recover::Recovered;

const PLACE_OF_TRANSACTION: u8 = 0x21;
const LOG_POSTINGS: u8 = 0x22;
const ADDRESS: u8 = 0;
const ANY: [u8; 9] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0];
const CREATED: u8 = 1;
const NO_BLOOM: u8 = 2;
/// Of a bloom.
const BLOOM_BYTES: usize = 256;

/// Kind and last bytes of an address or topic.
type Term = [u8; 9];

/// The rows that hold the transactions of a block, what they did, and the ways to find them.
#[derive(Debug)]
pub struct BlockRows {
    pub body: Vec<u8>,
    pub receipts: Vec<u8>,
    number: u64,
    /// Hash and position, in the order of the hashes.
    places: Vec<(B256, u32)>,
    postings: Vec<(Term, Vec<u8>)>,
}

impl BlockRows {
    pub fn new(number: u64, transactions: &[Arc<Recovered>], outcomes: &[Arc<Outcome>]) -> Self {
        Self {
            body: body(transactions),
            receipts: receipts(outcomes),
            number,
            places: places(transactions),
            postings: postings(outcomes),
        }
    }

    /// How many index rows there are.
    pub fn index_len(&self) -> usize {
        self.places.len() + self.postings.len()
    }

    /// One of the index rows, which are in the order of their keys: key and value.
    pub fn index_row(&self, at: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let number = self.number.to_be_bytes();
        if let Some((hash, position)) = self.places.get(at) {
            let key = [&[PLACE_OF_TRANSACTION], hash.as_slice()].concat();
            return Some((key, [number.as_slice(), &position.to_be_bytes()].concat()));
        }
        let (term, positions) = self.postings.get(at - self.places.len())?;
        Some(([[LOG_POSTINGS].as_slice(), term, &number].concat(), positions.clone()))
    }
}

/// Count, where each part ends, and the parts. `put` appends the part of an item.
fn packed<T>(items: &[T], about_bytes: usize, mut put: impl FnMut(&mut Vec<u8>, &T)) -> Vec<u8> {
    let start = 4 + 4 * items.len();
    let mut row = Vec::with_capacity(start + about_bytes);
    row.extend((items.len() as u32).to_be_bytes());
    row.resize(start, 0);
    for (at, item) in items.iter().enumerate() {
        put(&mut row, item);
        let end = (row.len() - start) as u32;
        row[4 + 4 * at..8 + 4 * at].copy_from_slice(&end.to_be_bytes());
    }
    row
}

fn body(transactions: &[Arc<Recovered>]) -> Vec<u8> {
    let size = transactions.iter().map(|each| 52 + each.transaction.raw.len()).sum();
    packed(transactions, size, |row, each| {
        row.extend(each.transaction.hash);
        row.extend(each.sender);
        row.extend_from_slice(&each.transaction.raw);
    })
}

fn receipts(outcomes: &[Arc<Outcome>]) -> Vec<u8> {
    let mut first_log = 0u32;
    let size = outcomes.iter().map(|each| 33 + each.receipt.len()).sum();
    packed(outcomes, size, |row, each| {
        let created = if each.contract_address.is_some() { CREATED } else { 0 };
        let no_bloom = if each.logs.is_empty() { NO_BLOOM } else { 0 };
        row.extend(each.gas_used.to_be_bytes());
        row.extend(first_log.to_be_bytes());
        row.push(created | no_bloom);
        row.extend(each.contract_address.unwrap_or_default());
        let empty = if each.logs.is_empty() { BLOOM_BYTES } else { 0 };
        let (before, list) = each.receipt.split_at(each.receipt.len() - 1);
        row.extend_from_slice(&before[..before.len() - empty]);
        row.extend_from_slice(list);
        first_log += each.logs.len() as u32;
    })
}

fn places(transactions: &[Arc<Recovered>]) -> Vec<(B256, u32)> {
    let mut places: Vec<_> = (0..).zip(transactions).map(|(at, each)| (each.transaction.hash, at)).collect();
    places.sort_unstable();
    places
}

fn postings(outcomes: &[Arc<Outcome>]) -> Vec<(Term, Vec<u8>)> {
    let mut found: HashMap<Term, Vec<u8>> = HashMap::default();
    for (position, outcome) in outcomes.iter().enumerate() {
        let position = (position as u32).to_be_bytes();
        for log in &outcome.logs {
            let topics = (1..).zip(log.topics()).map(|(kind, topic)| (kind, topic.as_slice()));
            for (kind, value) in std::iter::once((ADDRESS, log.address.as_slice())).chain(topics) {
                let mut term = [kind; 9];
                term[1..].copy_from_slice(&value[value.len() - 8..]);
                let positions = found.entry(term).or_default();
                if !positions.ends_with(&position) {
                    positions.extend(position);
                }
            }
        }
    }
    if !found.is_empty() {
        found.insert(ANY, Vec::new());
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_unstable();
    found
}
