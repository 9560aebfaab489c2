//! Hashes of many messages are those of each, whatever shares a group. Without lanes the same holds.

use alloy_primitives::{keccak256, utils::keccak256_uncached};
use rollup_sequencer_native::keccak::{LANES, digests};

/// Bytes that depend on every place and repeat themselves in every run.
fn message(size: usize, seed: u64) -> Vec<u8> {
    let words = (0u64..).flat_map(|at| keccak256((seed << 32 | at).to_be_bytes()).0);
    words.take(size).collect()
}

fn check(messages: &[Vec<u8>]) {
    let expected: Vec<_> = messages.iter().map(keccak256_uncached).collect();
    let sizes: Vec<_> = messages.iter().map(Vec::len).collect();
    assert_eq!(digests(messages), expected, "messages of {sizes:?} bytes");
}

#[test]
fn every_length_alone_and_in_a_group_of_its_like() {
    for size in 0..=700 {
        let messages: Vec<_> = (0..LANES as u64 + 1).map(|seed| message(size, seed)).collect();
        check(&messages);
        check(&messages[..1]);
        check(&messages[..2]);
    }
}

#[test]
fn all_lengths_together_in_any_order() {
    for step in [1, 2, 3, 137, 350, 352, 700] {
        let messages: Vec<_> = (0..=700).map(|at| message(at * step % 701, at as u64)).collect();
        check(&messages);
    }
}

#[test]
fn groups_of_every_size_and_of_unlike_lengths() {
    let lengths = [0, 1, 135, 136, 137, 271, 272, 273, 543, 544, 545, 5_000];
    for count in 0..=2 * LANES + 1 {
        for first in 0..lengths.len() {
            let sizes = (0..count).map(|at| lengths[(first + at * 5) % lengths.len()]);
            check(&sizes.enumerate().map(|(seed, size)| message(size, seed as u64)).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_message_of_equal_bits() {
    check(&[vec![0; 1_000], vec![0xff; 1_000], vec![0; 136], vec![0xff; 136], vec![0x80; 135], vec![1; 135]]);
}
