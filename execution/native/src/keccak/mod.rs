//! Keccak-256 of many messages: eight at once in the lanes of AVX-512 registers, or one by one.
//!
//! Nothing here is remembered as `alloy_primitives::keccak256` remembers what is short: many messages at once are nodes
//! and transactions, which hardly ever come again.

#[cfg(target_arch = "x86_64")]
mod lanes;

use alloy_primitives::B256;
use alloy_primitives::utils::keccak256_uncached;

/// Messages hashed together.
pub const LANES: usize = 8;
/// Bytes that are absorbed by one permutation.
#[cfg(target_arch = "x86_64")]
const RATE: usize = 136;

/// This machine hashes eight messages at once.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The hash of each message, in order. Messages of like length share a group, wherever they stand.
pub fn digests<M: AsRef<[u8]>>(messages: &[M]) -> Vec<B256> {
    #[cfg(target_arch = "x86_64")]
    if available() {
        return grouped(messages);
    }
    messages.iter().map(keccak256_uncached).collect()
}

#[cfg(target_arch = "x86_64")]
fn grouped<M: AsRef<[u8]>>(messages: &[M]) -> Vec<B256> {
    let mut order: Vec<u32> = (0..messages.len() as u32).collect();
    order.sort_by_key(|index| blocks(messages[*index as usize].as_ref()));
    let mut digests = vec![B256::ZERO; messages.len()];
    for group in order.chunks(LANES) {
        let sizes = group.iter().map(|index| blocks(messages[*index as usize].as_ref()));
        // Eight permutations at once take as long as one and a half.
        if sizes.clone().sum::<usize>() < 2 * sizes.max().unwrap_or(0) {
            for index in group {
                digests[*index as usize] = keccak256_uncached(&messages[*index as usize]);
            }
            continue;
        }
        let mut lanes: [&[u8]; LANES] = [&[]; LANES];
        for (lane, index) in lanes.iter_mut().zip(group) {
            *lane = messages[*index as usize].as_ref();
        }
        // SAFETY: the only caller has found the feature.
        let found = unsafe { lanes::digests(&lanes) };
        for (index, digest) in group.iter().zip(found) {
            digests[*index as usize] = digest;
        }
    }
    digests
}

/// Permutations that the hash of `message` takes. Padding takes at least a byte.
#[cfg(target_arch = "x86_64")]
fn blocks(message: &[u8]) -> usize {
    message.len() / RATE + 1
}
