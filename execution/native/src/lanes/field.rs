//! The field of secp256k1, eight elements at a time: integers modulo p = 2^256 - 2^32 - 977.
//!
//! A lane holds five limbs of 52 bits, the operands that IFMA multiplies. An element is *carried*: every limb is
//! below 2^52, so its value is below 2^260 = 16 · 2^256, and that is how far lazy reduction goes. The *size* of an
//! element bounds its value in units of (a little more than) p:
//!
//! - a product or square has size 1, whatever went in: its value is below 2^256 + 2^214;
//! - a [`Sum`] has the size of its terms together, each that is subtracted counting as the multiple of p that was
//!   added to keep the whole from going below zero, which must be larger than the term's size;
//! - no element may be larger than 15.
//!
//! Nothing here branches on a value, and every function is exact for whatever keeps these sizes.

use std::arch::x86_64::*;

use alloy_primitives::U256;

/// Eight elements, one a lane.
#[derive(Debug, Clone, Copy)]
pub struct Field([__m512i; LIMBS]);

/// A sum of elements whose limbs have not been carried, and may be negative.
#[derive(Clone, Copy)]
pub struct Sum([__m512i; LIMBS]);

pub const LIMBS: usize = 5;
const LIMB_BITS: u32 = 52;
/// The bits of the fifth limb that belong to 2^256 and below.
const TOP_BITS: u32 = 48;
const LIMB: u64 = (1 << LIMB_BITS) - 1;
const TOP: u64 = (1 << TOP_BITS) - 1;
/// 2^256 modulo p.
const FOLD_256: u64 = 0x1_0000_03d1;
/// 2^260 modulo p.
const FOLD_260: u64 = FOLD_256 << 4;
pub const PRIME: [u64; LIMBS] = [(1 << LIMB_BITS) - FOLD_256, LIMB, LIMB, LIMB, TOP];

/// The limbs of one integer of 256 bits.
pub const fn limbs(value: U256) -> [u64; LIMBS] {
    let [a, b, c, d] = *value.as_limbs();
    [a & LIMB, (a >> 52 | b << 12) & LIMB, (b >> 40 | c << 24) & LIMB, (c >> 28 | d << 36) & LIMB, d >> 16]
}

impl Field {
    /// The same element in every lane.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn splat(value: [u64; LIMBS]) -> Self {
        Self(value.map(|limb| _mm512_set1_epi64(limb as i64)))
    }

    /// Any integers of 256 bits, one a lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn load(values: &[U256; 8]) -> Self {
        let lanes = values.map(limbs);
        Self(std::array::from_fn(|limb| {
            let of = |lane: usize| lanes[lane][limb] as i64;
            _mm512_setr_epi64(of(0), of(1), of(2), of(3), of(4), of(5), of(6), of(7))
        }))
    }

    /// The lanes as integers below p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn store(self) -> [U256; 8] {
        let limbs = self.canonical().0.map(words);
        std::array::from_fn(|lane| {
            let [a, b, c, d, e] = limbs.map(|limb| limb[lane]);
            U256::from_limbs([a | b << 52, b >> 12 | c << 40, c >> 24 | d << 28, d >> 36 | e << 16])
        })
    }

    /// Five vectors that someone else keeps carried.
    #[inline]
    pub fn from_vectors(limbs: [__m512i; LIMBS]) -> Self {
        Self(limbs)
    }

    /// The lanes of each limb.
    #[inline]
    pub fn words(self) -> [[u64; 8]; LIMBS] {
        self.0.map(words)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn times(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        let mut columns = [_mm512_setzero_si512(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], a[i], b[j]);
                columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], a[i], b[j]);
            }
        }
        reduce(columns)
    }

    /// As `times` itself, with the products of different limbs computed once and doubled.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn square(self) -> Self {
        let a = self.0;
        let mut columns = [_mm512_setzero_si512(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in i + 1..LIMBS {
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], a[i], a[j]);
                columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], a[i], a[j]);
            }
        }
        for column in &mut columns[1..2 * LIMBS - 1] {
            *column = _mm512_add_epi64(*column, *column);
        }
        for i in 0..LIMBS {
            columns[2 * i] = _mm512_madd52lo_epu64(columns[2 * i], a[i], a[i]);
            columns[2 * i + 1] = _mm512_madd52hi_epu64(columns[2 * i + 1], a[i], a[i]);
        }
        reduce(columns)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn plus(self, other: impl Into<Sum>) -> Sum {
        Sum(self.0).plus(other)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn minus(self, other: impl Into<Sum>) -> Sum {
        Sum(self.0).minus(other)
    }

    /// Times 2^BITS, at most 8.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn shifted<const BITS: u32>(self) -> Sum {
        Sum(self.0.map(|limb| _mm512_slli_epi64::<BITS>(limb)))
    }

    /// The lanes of `other` where `mask` has a one.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn or_else(self, mask: __mmask8, other: Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = _mm512_mask_mov_epi64(*limb, mask, other);
        }
        Self(limbs)
    }

    /// `-self` in the lanes of `mask`; `self` has size 1, the result 2.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn negated_where(self, mask: __mmask8) -> Self {
        let mut limbs = self.0;
        for (limb, prime) in limbs.iter_mut().zip(PRIME) {
            *limb = _mm512_mask_sub_epi64(*limb, mask, _mm512_set1_epi64(2 * prime as i64), *limb);
        }
        Sum(limbs).carry::<0>()
    }

    /// The lanes that are zero modulo p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn zeros(self) -> __mmask8 {
        let [a, b, c, d, e] = self.canonical().0;
        let any = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(_mm512_or_si512(c, d), e));
        _mm512_testn_epi64_mask(any, any)
    }

    /// The lanes whose representative below p is odd.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn odds(self) -> __mmask8 {
        _mm512_test_epi64_mask(self.canonical().0[0], _mm512_set1_epi64(1))
    }

    /// The representative below p.
    ///
    /// Folding what lies above 2^256 leaves less than 2^256 + 2^37; such a value is p or more exactly if adding
    /// 2^256 - p to it reaches 2^256, and what is then left below 2^256 is the value less p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn canonical(self) -> Self {
        let fold = _mm512_set1_epi64(FOLD_256 as i64);
        let mut limbs = self.0;
        let above = _mm512_srli_epi64::<TOP_BITS>(limbs[4]);
        limbs[4] = _mm512_and_si512(limbs[4], _mm512_set1_epi64(TOP as i64));
        limbs[0] = _mm512_madd52lo_epu64(limbs[0], above, fold);
        let folded = Sum(limbs).carry::<0>();
        let mut raised = folded.0;
        raised[0] = _mm512_add_epi64(raised[0], fold);
        let mut raised = Sum(raised).carry::<0>();
        let reached = _mm512_cmpgt_epu64_mask(raised.0[4], _mm512_set1_epi64(TOP as i64));
        raised.0[4] = _mm512_and_si512(raised.0[4], _mm512_set1_epi64(TOP as i64));
        folded.or_else(reached, raised)
    }
}

impl From<Field> for Sum {
    #[inline]
    fn from(element: Field) -> Self {
        Self(element.0)
    }
}

impl Sum {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn plus(self, other: impl Into<Self>) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.into().0) {
            *limb = _mm512_add_epi64(*limb, other);
        }
        Self(limbs)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn minus(self, other: impl Into<Self>) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.into().0) {
            *limb = _mm512_sub_epi64(*limb, other);
        }
        Self(limbs)
    }

    /// The sum plus P times p, which must not be negative, with its limbs carried.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn carry<const P: u64>(self) -> Field {
        let mut limbs = self.0;
        if P > 0 {
            for (limb, prime) in limbs.iter_mut().zip(PRIME) {
                *limb = _mm512_add_epi64(*limb, _mm512_set1_epi64((P * prime) as i64));
            }
        }
        for i in 0..LIMBS - 1 {
            limbs[i + 1] = _mm512_add_epi64(limbs[i + 1], _mm512_srai_epi64::<LIMB_BITS>(limbs[i]));
            limbs[i] = _mm512_and_si512(limbs[i], _mm512_set1_epi64(LIMB as i64));
        }
        debug_assert!(words(limbs[4]).iter().all(|top| *top <= LIMB), "an element larger than 15, or negative");
        Field(limbs)
    }
}

/// The ten columns of a product, each below 2^56, as an element of size 1.
///
/// The value is below 2^520, so the upper five columns, once carried, fit their limbs: each is multiplied by 2^260
/// modulo p and added five columns below. What then lies at 2^256 and above is less than 2^42 times that; folded in
/// turn it adds less than 2^75 to the lowest columns, and the last carry leaves the top limb below 2^48 + 2^6.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce(mut columns: [__m512i; 2 * LIMBS]) -> Field {
    let (limb, fold) = (_mm512_set1_epi64(LIMB as i64), _mm512_set1_epi64(FOLD_260 as i64));
    for i in LIMBS..2 * LIMBS - 1 {
        columns[i + 1] = _mm512_add_epi64(columns[i + 1], _mm512_srli_epi64::<LIMB_BITS>(columns[i]));
        columns[i] = _mm512_and_si512(columns[i], limb);
    }
    let [mut a, mut b, mut c, mut d, mut e, upper @ ..] = columns;
    a = _mm512_madd52lo_epu64(a, upper[0], fold);
    b = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(b, upper[0], fold), upper[1], fold);
    c = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(c, upper[1], fold), upper[2], fold);
    d = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(d, upper[2], fold), upper[3], fold);
    e = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(e, upper[3], fold), upper[4], fold);
    let over = _mm512_madd52hi_epu64(_mm512_setzero_si512(), upper[4], fold);
    let above = _mm512_add_epi64(_mm512_slli_epi64::<4>(over), _mm512_srli_epi64::<TOP_BITS>(e));
    let fold = _mm512_set1_epi64(FOLD_256 as i64);
    a = _mm512_madd52lo_epu64(a, above, fold);
    b = _mm512_madd52hi_epu64(b, above, fold);
    e = _mm512_and_si512(e, _mm512_set1_epi64(TOP as i64));
    Sum([a, b, c, d, e]).carry::<0>()
}

/// The lanes of a vector.
fn words(vector: __m512i) -> [u64; 8] {
    // SAFETY: both are 64 bytes without invalid values.
    unsafe { std::mem::transmute(vector) }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{U512, uint};

    use super::super::power::{inverse, square_root};
    use super::*;

    const P: U256 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);

    /// Every carried element that is all zeros, all ones, one or the prime's limb in each place, and some others.
    fn elements() -> Vec<[u64; LIMBS]> {
        let mut elements: Vec<_> =
            [U256::ZERO, U256::ONE, P - U256::ONE, P, P + U256::ONE, U256::MAX].map(limbs).into();
        for choice in 0..4usize.pow(LIMBS as u32) {
            let of = |place: usize| [0, 1, PRIME[place], LIMB][choice / 4usize.pow(place as u32) % 4];
            elements.push(std::array::from_fn(of));
        }
        let mut chance = 7u64;
        elements.resize_with(elements.len() + 512, || {
            std::array::from_fn(|_| {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                chance >> 12
            })
        });
        elements
    }

    fn value(limbs: [u64; LIMBS]) -> U256 {
        let sum = limbs.iter().rev().fold(U512::ZERO, |sum, limb| (sum << LIMB_BITS as usize) + U512::from(*limb));
        (sum % U512::from(P)).to()
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn load(lanes: [[u64; LIMBS]; 8]) -> Field {
        let vector = |limb: usize| lanes.map(|lane| lane[limb]);
        // SAFETY: both are 64 bytes without invalid values.
        Field(std::array::from_fn(|limb| unsafe { std::mem::transmute::<[u64; 8], __m512i>(vector(limb)) }))
    }

    /// Hands `check` pairs of elements, eight at a time; on a machine without the instructions there are none.
    fn for_pairs(check: unsafe fn([[u64; LIMBS]; 8], [[u64; LIMBS]; 8])) {
        let elements = elements();
        for shift in [0, 1, 3, 8, 65, 257, 700] {
            for at in (0..elements.len()).step_by(8) {
                let of = |lane: usize| elements[(at + lane) % elements.len()];
                let other = |lane: usize| elements[(at + shift + lane * (shift + 1)) % elements.len()];
                if super::super::available() {
                    // SAFETY: the machine has the features.
                    unsafe { check(std::array::from_fn(of), std::array::from_fn(other)) };
                }
            }
        }
    }

    #[test]
    fn arithmetic_is_that_of_integers_modulo_p() {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn check(a: [[u64; LIMBS]; 8], b: [[u64; LIMBS]; 8]) {
            let (x, y) = (load(a), load(b));
            let (product, square) = (x.times(y), x.square());
            let sum = product.plus(square.shifted::<3>()).carry::<0>();
            let difference = product.minus(square.shifted::<3>()).carry::<9>();
            let negated = product.negated_where(0b1010_0101);
            assert!(product.words()[LIMBS - 1].iter().all(|top| *top < TOP + (1 << 6)));
            for lane in 0..8 {
                let (a, b) = (value(a[lane]), value(b[lane]));
                let (ab, aa) = (a.mul_mod(b, P), a.mul_mod(a, P));
                let aa8 = aa.mul_mod(U256::from(8), P);
                assert_eq!(x.store()[lane], a);
                assert_eq!(product.store()[lane], ab);
                assert_eq!(square.store()[lane], aa);
                assert_eq!(sum.store()[lane], ab.add_mod(aa8, P));
                assert_eq!(difference.store()[lane], ab.add_mod(P - aa8, P));
                let expected = if 0b1010_0101 >> lane & 1 == 1 { (P - ab) % P } else { ab };
                assert_eq!(negated.store()[lane], expected);
                assert_eq!(product.zeros() >> lane & 1 == 1, ab.is_zero());
                assert_eq!(x.odds() >> lane & 1 == 1, a.bit(0));
            }
        }
        for_pairs(check);
    }

    #[test]
    fn inverses_and_roots_are_undone_by_products() {
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn check(a: [[u64; LIMBS]; 8], b: [[u64; LIMBS]; 8]) {
            let elements = [a, b].map(|lanes| load(lanes).times(Field::splat([1, 0, 0, 0, 0])));
            for ((inverse, (root, valid)), lanes) in
                inverse(elements).into_iter().zip(square_root(elements)).zip([a, b])
            {
                for (lane, limbs) in lanes.into_iter().enumerate() {
                    let (element, inverse, root) = (value(limbs), inverse.store()[lane], root.store()[lane]);
                    assert_eq!(inverse.mul_mod(element, P), U256::from(u8::from(!element.is_zero())));
                    let is_square = element.is_zero() || element.pow_mod(P >> 1, P) == U256::ONE;
                    assert_eq!(valid >> lane & 1 == 1, is_square);
                    assert!(!is_square || root.mul_mod(root, P) == element);
                }
            }
        }
        for_pairs(check);
    }
}
