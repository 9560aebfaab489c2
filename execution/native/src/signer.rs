//! Who made a signature: libsecp256k1 one by one, or eight at once in the lanes of AVX-512.
//!
//! The lanes are an accelerator without a say of their own: whatever they leave open, every failure included, is
//! decided by libsecp256k1.

use std::sync::LazyLock;

use alloy_primitives::utils::keccak256_uncached;
use alloy_primitives::{Address, B256, U256, b256};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, Secp256k1, VerifyOnly};

use crate::keccak;
use crate::lanes::{self, LANES, Signature};

pub const INVALID: &str = "invalid transaction v, r, s values";
pub const FAILED: &str = "recovery failed";

const HALF_ORDER: U256 =
    U256::from_be_bytes(b256!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0").0);
/// A group of lanes takes as long as one and a half signatures one by one, however many of them it holds.
const FROM: usize = 2;

/// The signature, if its values are in range; only low s is (EIP-2).
pub fn signature(digest: B256, r: U256, s: U256, y_parity: u8) -> Result<Signature, &'static str> {
    if r.is_zero() || r >= lanes::ORDER || s.is_zero() || s > HALF_ORDER || y_parity > 1 {
        return Err(INVALID);
    }
    Ok(Signature { digest, r, s, y_odd: y_parity == 1 })
}

/// Who signed, for each signature.
pub fn signers(signatures: &[Signature]) -> Vec<Result<Address, &'static str>> {
    let left_over = signatures.len() % LANES;
    let grouped = match lanes::available() {
        true if left_over < FROM => signatures.len() - left_over,
        true => signatures.len(),
        false => 0,
    };
    let (grouped, single) = signatures.split_at(grouped);
    let keys = lanes::recover(grouped);
    let coordinates: Vec<_> = keys.iter().map(|key| key.map_or([0; 64], coordinates)).collect();
    let answers = keys.iter().zip(keccak::digests(&coordinates)).zip(grouped);
    let mut signers: Vec<_> = answers
        .map(|((key, hash), signature)| if key.is_some() { Ok(address(hash)) } else { signer(signature) })
        .collect();
    signers.extend(single.iter().map(signer));
    signers
}

/// Who signed, by libsecp256k1.
pub fn signer(signature: &Signature) -> Result<Address, &'static str> {
    let key = public_key(signature).ok_or(FAILED)?;
    Ok(address(keccak256_uncached(&key.serialize_uncompressed()[1..])))
}

/// The key that signed, by libsecp256k1.
pub fn public_key(signature: &Signature) -> Option<PublicKey> {
    static CONTEXT: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    let compact = [signature.r.to_be_bytes::<32>(), signature.s.to_be_bytes::<32>()].concat();
    let id = if signature.y_odd { RecoveryId::One } else { RecoveryId::Zero };
    let recoverable = RecoverableSignature::from_compact(&compact, id).ok()?;
    CONTEXT.recover_ecdsa(Message::from_digest(signature.digest.0), &recoverable).ok()
}

fn coordinates([x, y]: lanes::Key) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&x.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&y.to_be_bytes::<32>());
    bytes
}

/// Of the account whose key's coordinates have this hash.
fn address(hash: B256) -> Address {
    Address::from_slice(&hash[12..])
}
