//! Recovery in lanes is libsecp256k1's, key for key; what the lanes leave open is rare, and theirs to leave open.
//!
//! On a machine without the instructions the lanes leave everything open, and the same tests hold.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256, keccak256, uint};
use rollup_sequencer_native::lanes::{self, Key, ORDER, Signature};
use rollup_sequencer_native::signer::{public_key, signers};
use secp256k1::{All, Secp256k1, SecretKey};

const LAMBDA: U256 = uint!(0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72_U256);
const HIGH: U256 = uint!(0x100000000000000000000000000000000_U256);

/// A generator that needs no library and repeats itself in every run.
struct Chance(u64);

impl Chance {
    fn word(&mut self) -> U256 {
        self.0 += 1;
        U256::from_be_bytes(keccak256(self.0.to_be_bytes()).0)
    }

    fn scalar(&mut self) -> U256 {
        self.word() % ORDER
    }
}

/// Multiples at which digits, halves and their parities change, and their negatives.
fn edges() -> Vec<U256> {
    let small = [0u64, 1, 2, 3, 5, 15, 16, 17, 30, 31, 32, 33, 63, 64, 511, 512, 1023, 1024, 1025].map(U256::from);
    let mut edges = small.to_vec();
    for unit in [LAMBDA, LAMBDA.mul_mod(LAMBDA, ORDER), HIGH, HIGH >> 1, HIGH << 1, HIGH << 2, ORDER >> 1] {
        edges.extend([1, 2, 3, 31, 33].map(|times| unit.mul_mod(U256::from(times), ORDER)));
        edges.extend([unit - U256::ONE, unit + U256::ONE, unit.mul_mod(LAMBDA, ORDER), unit.mul_mod(HIGH, ORDER)]);
    }
    let negated: Vec<_> = edges.iter().map(|edge| (ORDER - edge) % ORDER).collect();
    edges.extend(negated);
    edges
}

/// The signature whose key is `u1·G + u2·R`, with R = ±`k`·G by the parity; None if there is none.
fn composed(k: U256, y_odd: bool, u1: U256, u2: U256) -> Option<Signature> {
    static CONTEXT: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);
    let key = SecretKey::from_byte_array(k.to_be_bytes()).ok()?;
    let r = U256::from_be_slice(&key.public_key(&CONTEXT).serialize()[1..]);
    let (s, e) = (u2.mul_mod(r, ORDER), (ORDER - u1 % ORDER).mul_mod(r, ORDER));
    (!s.is_zero() && r < ORDER).then_some(Signature { digest: B256::from(e), r, s, y_odd })
}

fn expected(signature: &Signature) -> Option<Key> {
    let key = public_key(signature)?.serialize_uncompressed();
    Some([U256::from_be_slice(&key[1..33]), U256::from_be_slice(&key[33..])])
}

/// Every answer that the lanes give is right. Returns how many keys they did not find.
fn left_open(signatures: &[Signature]) -> usize {
    let keys = lanes::recover(signatures);
    assert_eq!(keys.len(), signatures.len());
    let pairs = keys.iter().zip(signatures).map(|(key, signature)| (key, expected(signature), signature));
    pairs
        .filter(|(key, expected, signature)| {
            assert!(key.is_none() || *key == expected, "{signature:?}: {key:?}, not {expected:?}");
            key.is_none() && expected.is_some()
        })
        .count()
}

#[test]
fn keys_of_any_signatures_are_found() {
    let mut chance = Chance(0);
    let signatures: Vec<_> = (0..20_000)
        .map(|i| Signature { digest: chance.word().into(), r: chance.scalar(), s: chance.scalar(), y_odd: i % 2 == 1 })
        .collect();
    let open = left_open(&signatures);
    assert!(!lanes::available() || open == 0);
}

#[test]
fn edges_as_factors_of_any_point() {
    let (edges, mut chance, mut signatures) = (edges(), Chance(1_000_000), Vec::new());
    for u1 in &edges {
        let k = chance.scalar();
        signatures.extend(edges.iter().step_by(2).filter_map(|u2| composed(k, u1.bit(3), *u1, *u2)));
    }
    let open = left_open(&signatures);
    assert!(!lanes::available() || open == 0, "{open} of {} left open", signatures.len());
}

#[test]
fn edges_as_points_meet_every_exception() {
    let (edges, mut signatures) = (edges(), Vec::new());
    for k in &edges {
        for u2 in edges.iter().step_by(13) {
            let product = k.mul_mod(*u2, ORDER);
            // Sums that are twice a point, infinity for one parity, and near either.
            for u1 in [product, (ORDER - product) % ORDER, product.add_mod(U256::ONE, ORDER), U256::ZERO, *u2] {
                signatures.extend([false, true].into_iter().filter_map(|y_odd| composed(*k, y_odd, u1, *u2)));
            }
        }
    }
    let open = left_open(&signatures);
    assert!(!lanes::available() || open < signatures.len() / 1_000, "{open} of {} left open", signatures.len());
    let infinite = signatures.iter().filter(|signature| expected(signature).is_none()).count();
    assert!(infinite > 0);
}

#[test]
fn abscissas_without_a_point_and_the_largest() {
    let largest = (1..200u64).map(|below| ORDER - U256::from(below));
    let signatures: Vec<_> = (1..200u64)
        .map(U256::from)
        .chain(largest)
        .flat_map(|r| [(r, false), (r, true)])
        .map(|(r, y_odd)| Signature { digest: B256::repeat_byte(0xff), r, s: U256::ONE, y_odd })
        .collect();
    let open = left_open(&signatures);
    assert!(!lanes::available() || open == 0);
}

#[test]
fn a_lost_signature_costs_its_neighbours_nothing() {
    let mut chance = Chance(2_000_000);
    let mut signatures: Vec<_> =
        (0..64).filter_map(|_| composed(chance.scalar(), false, chance.scalar(), chance.scalar())).collect();
    let k = chance.scalar();
    let infinity = [false, true].map(|y_odd| composed(k, y_odd, k, ORDER - U256::ONE).unwrap());
    let infinity = infinity.into_iter().find(|signature| expected(signature).is_none()).unwrap();
    signatures[11] = infinity;
    assert_eq!(lanes::recover(&signatures)[11], None);
    assert!(!lanes::available() || left_open(&signatures) == 0);
}

#[test]
fn any_number_of_signatures_has_as_many_signers() {
    let mut chance = Chance(3_000_000);
    let signatures: Vec<_> =
        (0..130).map(|_| composed(chance.scalar(), true, chance.scalar(), chance.scalar()).unwrap()).collect();
    let one_by_one: Vec<Address> = signatures
        .iter()
        .map(|signature| Address::from_raw_public_key(&public_key(signature).unwrap().serialize_uncompressed()[1..]))
        .collect();
    for count in (0..20).chain([63, 64, 65, 66, 130]) {
        let signers: Vec<_> = signers(&signatures[..count]).into_iter().map(Result::unwrap).collect();
        assert_eq!(signers, one_by_one[..count]);
    }
}
