//! What every flashblock costs, in one go: the two Merkle trees over its transactions, and its entry in the sequence
//! log. `sequencer.core.merkle` and `sequencer.core.entries` say what the bytes are; a test holds the two to each other.

use alloy_primitives::B256;

use super::rlp;
use crate::keccak;

const FLASHBLOCK_ENTRY: u8 = 2;

/// When a transaction came in: sequence, milliseconds before the flashblock closed, origin.
pub type Arrival = (u64, u64, u8);

/// A leaf's or an inner node's content: a byte that tells the two apart, and two words.
type Content = [u8; 65];

/// The leaves of consecutive positions of a block.
pub fn leaves(first_position: u32, hashes: &[B256]) -> Vec<B256> {
    let contents = (first_position..).zip(hashes).map(|(position, hash)| {
        let mut content: Content = [0; 65];
        content[29..33].copy_from_slice(&position.to_be_bytes());
        content[33..].copy_from_slice(hash.as_slice());
        content
    });
    keccak::digests(&contents.collect::<Vec<_>>())
}

/// The level above `below`: a lone node is carried up.
fn above(below: &[B256]) -> Vec<B256> {
    let (pairs, lone) = below.as_chunks::<2>();
    let contents = pairs.iter().map(|[left, right]| {
        let mut content: Content = [1; 65];
        content[1..33].copy_from_slice(left.as_slice());
        content[33..].copy_from_slice(right.as_slice());
        content
    });
    let mut level = keccak::digests(&contents.collect::<Vec<_>>());
    level.extend_from_slice(lone);
    level
}

/// Every level of the tree, leaves first, root last. Empty without leaves.
pub fn levels(leaves: Vec<B256>) -> Vec<Vec<B256>> {
    let mut tree = Vec::new();
    let mut level = leaves;
    while level.len() > 1 {
        let next = above(&level);
        tree.push(std::mem::replace(&mut level, next));
    }
    if !level.is_empty() {
        tree.push(level);
    }
    tree
}

/// The root; zero without leaves.
pub fn root(leaves: Vec<B256>) -> B256 {
    let mut level = leaves;
    while level.len() > 1 {
        level = above(&level);
    }
    level.first().copied().unwrap_or_default()
}

/// The log entry of a flashblock whose fields are encoded in `fields`, a list.
pub fn entry(fields: &[u8], transactions: &[&[u8]], outcomes: &[B256], arrivals: &[Arrival]) -> Vec<u8> {
    let size = transactions.iter().map(|raw| raw.len() + 4).sum::<usize>() + outcomes.len() * 33 + arrivals.len() * 20;
    let mut part = Vec::with_capacity(size);
    let mut payload = Vec::with_capacity(size + fields.len() + 32);
    payload.extend_from_slice(fields);
    for raw in transactions {
        rlp::put_bytes(&mut part, raw);
    }
    rlp::put_list(&mut payload, &part);
    part.clear();
    for hash in outcomes {
        rlp::put_bytes(&mut part, hash.as_slice());
    }
    rlp::put_list(&mut payload, &part);
    part.clear();
    let mut record = Vec::with_capacity(24);
    for (sequence, age_ms, origin) in arrivals {
        record.clear();
        rlp::put_u64(&mut record, *sequence);
        rlp::put_u64(&mut record, *age_ms);
        rlp::put_u64(&mut record, u64::from(*origin));
        rlp::put_list(&mut part, &record);
    }
    rlp::put_list(&mut payload, &part);
    let mut out = Vec::with_capacity(payload.len() + 10);
    out.push(FLASHBLOCK_ENTRY);
    rlp::put_list(&mut out, &payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_ends_in_its_root() {
        for count in 0..40u8 {
            let hashes: Vec<B256> = (0..count).map(B256::with_last_byte).collect();
            let tree = levels(leaves(7, &hashes));
            let top = tree.last().map_or(B256::ZERO, |level| level[0]);
            assert_eq!(top, root(leaves(7, &hashes)));
            assert_eq!(tree.iter().map(Vec::len).min().unwrap_or(1), 1);
        }
    }

    #[test]
    fn a_lone_node_is_carried_up() {
        let [a, b, c] = [1, 2, 3].map(B256::with_last_byte);
        let tree = levels(vec![a, b, c]);
        assert_eq!(tree[1][1], c);
        assert_eq!(root(vec![a]), a);
    }
}
