//! Eight recoveries of public keys at once, one in each lane of AVX-512 registers.
//!
//! A key that is answered is right; what fails or is exceptional is left open, for libsecp256k1 to decide. There are no
//! secrets here: signatures are public, so time may depend on them, though it hardly does.
//!
//! `scalar` computes what to multiply with, `multiply` does it with the points of `point`, which `table` looks up and
//! whose coordinates are the elements of `field`; `power` has their inverses and roots.

#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod scalar;

#[cfg(target_arch = "x86_64")]
mod field;
#[cfg(target_arch = "x86_64")]
mod multiply;
#[cfg(target_arch = "x86_64")]
mod point;
#[cfg(target_arch = "x86_64")]
mod power;
#[cfg(target_arch = "x86_64")]
mod table;

use alloy_primitives::{B256, U256};

pub use scalar::ORDER;

/// A signature of `digest`; r and s are from 1 to n - 1.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    pub digest: B256,
    pub r: U256,
    pub s: U256,
    pub y_odd: bool,
}

/// The coordinates x and y of a public key.
pub type Key = [U256; 2];

/// Lanes of a register.
pub const LANES: usize = 8;

/// This machine can.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Who signed, for each signature; None where libsecp256k1 has to be asked, always so where lanes are not available.
pub fn recover(signatures: &[Signature]) -> Vec<Option<Key>> {
    #[cfg(target_arch = "x86_64")]
    if available() {
        // SAFETY: the machine has the features.
        return unsafe { multiply::recover(signatures) };
    }
    vec![None; signatures.len()]
}
