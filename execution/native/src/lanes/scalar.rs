//! Integers modulo n, the order of the group: what the two points of a recovery are multiplied with.
//!
//! A signature (r, s) of the digest e was made by the key u1·G + u2·R, where u1 = -e/r, u2 = s/r and R is the point
//! that r is the abscissa of. Both factors are taken apart into halves of some 128 bits:
//!
//! - u1 = a + 2^128·b;
//! - u2 = a + λ·b, where λ·(x, y) = (β·x, y) costs one multiplication of the field (Gallant, Lambert and Vanstone 2001).
//!
//! Every half is made *odd*, so that its digits can be odd and hence never zero: a recovery is then the same
//! sequence of additions whatever the factors are. There is a choice of halves because adding a vector of the
//! lattice of (a, b) that stand for zero changes nothing, and vectors of every parity are in both lattices.

use alloy_primitives::{U256, uint};

use super::Signature;

/// Half of a factor: an odd integer k, negative or not, as (k + 2^130 - 1) / 2.
///
/// Cut into windows of w bits (w divides 130), that number has digits t from 0 to 2^w - 1, and k is the sum of the
/// odd 2t + 1 - 2^w at the same places: what the ones and the 2^w add over all places is just 2^130 - 1 less.
#[derive(Debug, Clone, Copy, Default)]
pub struct Half(pub U256);

/// Both factors of one recovery, each as (a, b).
#[derive(Debug, Clone, Copy, Default)]
pub struct Factors {
    pub generator: [Half; 2],
    pub point: [Half; 2],
}

/// Bits of a `Half`.
pub const HALF_BITS: u32 = 130;

pub const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
const ORDER_LOW: U256 = uint!(0xbaaedce6af48a03bbfd25e8cd0364141_U256);
/// 2^512 modulo n, and -1/n modulo 2^64: Montgomery's constants.
const SQUARED_RADIX: U256 = uint!(0x9d671cd581c69bc5e697f5e45bcd07c6741496c20e7cf878896cf21467d7d140_U256);
const NEGATED_INVERSE: u64 = 0x4b0d_ff66_5588_b13f;

/// The shortest vectors (a, b) with a + λ·b = 0 modulo n: (A1, -B1) is odd and odd, (A2, A1) even and odd.
const A1: U256 = uint!(0x3086d221a7d46bcde86c90e49284eb15_U256);
const B1: U256 = uint!(0xe4437ed6010e88286f547fa90abfe4c3_U256);
const A2: U256 = uint!(0x114ca50f7a8e2f3f657c1108d9d44cfd8_U256);
/// 2^384 · A1 / n and 2^384 · B1 / n, to the nearest integer.
const G1: U256 = uint!(0x3086d221a7d46bcde86c90e49284eb153daa8a1471e8ca7fe893209a45dbb031_U256);
const G2: U256 = uint!(0xe4437ed6010e88286f547fa90abfe4c4221208ac9df506c61571b4ae8ac47f71_U256);

/// The factors of each signature. One inversion serves all (Montgomery's trick), which needs every r to be invertible.
pub fn factors(signatures: &[Signature]) -> Vec<Factors> {
    let mut products = Vec::with_capacity(signatures.len());
    let mut product = U256::ONE;
    for signature in signatures {
        products.push(product);
        product = multiply(product, signature.r);
    }
    let mut inverse = product.inv_mod(ORDER).expect("r is from 1 to n - 1, and n is prime");
    let mut factors = vec![Factors::default(); signatures.len()];
    for (place, signature) in signatures.iter().enumerate().rev() {
        let inverted = multiply(inverse, products[place]);
        inverse = multiply(inverse, signature.r);
        let digest = U256::from_be_bytes(signature.digest.0).reduce_mod(ORDER);
        factors[place] = Factors {
            generator: at_128_bits(ORDER - multiply(digest, inverted)),
            point: at_lambda(multiply(signature.s, inverted)),
        };
    }
    factors
}

/// `a * b` modulo n, of integers below n.
fn multiply(a: U256, b: U256) -> U256 {
    let times = |a: U256, b: U256| a.mul_redc(b, ORDER, NEGATED_INVERSE);
    times(times(a, SQUARED_RADIX), b)
}

/// Odd (a, b) with a + 2^128·b = `factor` modulo n, which is at most n; both absolute values are below 2^130.
fn at_128_bits(factor: U256) -> [Half; 2] {
    let (mut low, mut high): (U256, U256) = (factor & U256::from(u128::MAX), factor >> 128);
    if !low.bit(0) {
        low += ORDER_LOW;
        high += ORDER >> 128;
    }
    if !high.bit(0) {
        low = low.wrapping_sub(U256::ONE << 128);
        high += U256::ONE;
    }
    [half(low), half(high)]
}

/// Odd (a, b) with a + λ·b = `factor` modulo n; both absolute values are below 2^130.
///
/// The factor less the lattice's vector just below it: a is at most A1 + A2, b is between -B1 and A1, and what parity
/// then takes away is once more at most that. Arithmetic is modulo 2^256, which is exact for such numbers.
fn at_lambda(factor: U256) -> [Half; 2] {
    let count1 = high_128(factor, G1);
    let count2 = high_128(factor, G2);
    let mut a = factor.wrapping_sub(count1.wrapping_mul(A1)).wrapping_sub(count2.wrapping_mul(A2));
    let mut b = count1.wrapping_mul(B1).wrapping_sub(count2.wrapping_mul(A1));
    if !a.bit(0) {
        a = a.wrapping_sub(A1);
        b = b.wrapping_add(B1);
    }
    if !b.bit(0) {
        a = a.wrapping_sub(A2);
        b = b.wrapping_sub(A1);
    }
    [half(a), half(b)]
}

/// `a * b / 2^384`, rounded down.
fn high_128(a: U256, b: U256) -> U256 {
    let product: alloy_primitives::U512 = a.widening_mul(b);
    let limbs = product.as_limbs();
    U256::from_limbs([limbs[6], limbs[7], 0, 0])
}

fn half(odd: U256) -> Half {
    const RAISED: U256 = uint!(0x3_ffffffff_ffffffff_ffffffff_ffffffff_U256);
    let half = Half(odd.wrapping_add(RAISED) >> 1);
    debug_assert!(half.0.bit_len() <= HALF_BITS as usize);
    half
}
