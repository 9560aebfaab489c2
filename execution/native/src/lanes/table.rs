//! Points looked up by signed odd digits: every lane reads another row of a table.

use std::arch::x86_64::*;
use std::sync::LazyLock;

use alloy_primitives::U256;
use secp256k1::PublicKey;
use secp256k1::constants::GENERATOR_X;

use super::field::{Field, LIMBS, limbs};
use super::point::Affine;
use super::scalar::{HALF_BITS, Half};

/// One half a lane, as its windows are read.
pub struct Digits([__m512i; 3]);

/// One odd digit a lane: row `(|digit| - 1) / 2` of a table of odd multiples, and the lanes below zero.
#[derive(Clone, Copy)]
pub struct Digit {
    row: __m512i,
    negative: __mmask8,
}

impl Digits {
    #[target_feature(enable = "avx512f")]
    pub fn load(halves: [Half; 8]) -> Self {
        Self(std::array::from_fn(|word| {
            let of = |lane: usize| halves[lane].0.as_limbs()[word] as i64;
            _mm512_setr_epi64(of(0), of(1), of(2), of(3), of(4), of(5), of(6), of(7))
        }))
    }

    /// The digit of the window of `bits` bits from bit `from` on.
    #[target_feature(enable = "avx512f")]
    pub fn digit(&self, from: u32, bits: u32) -> Digit {
        debug_assert!(from + bits <= HALF_BITS);
        let (word, shift) = ((from / 64) as usize, i64::from(from % 64));
        let next = self.0.get(word + 1).copied().unwrap_or(_mm512_setzero_si512());
        let low = _mm512_srlv_epi64(self.0[word], _mm512_set1_epi64(shift));
        let window = _mm512_or_si512(low, _mm512_sllv_epi64(next, _mm512_set1_epi64(64 - shift)));
        // The digit is 2 · window + 1 - 2^bits: the rows above zero are those of the upper half, in order.
        let negative = _mm512_testn_epi64_mask(window, _mm512_set1_epi64(1 << (bits - 1)));
        let rows = _mm512_set1_epi64((1 << (bits - 1)) - 1);
        let row = _mm512_and_si512(_mm512_mask_xor_epi64(window, negative, window, rows), rows);
        Digit { row, negative }
    }
}

/// Rows of elements in memory.
pub struct Table {
    words: Vec<u64>,
    /// Words from one row to the next, and from one limb to the next.
    row: usize,
    limb: usize,
    /// Where each lane's first word is.
    start: [i64; 8],
}

impl Table {
    /// One table for all lanes.
    pub fn shared(rows: impl Iterator<Item = [[u64; LIMBS]; 2]>) -> Self {
        let words: Vec<u64> = rows.flat_map(|row| row.concat()).collect();
        Self { words, row: 2 * LIMBS, limb: 1, start: [0; 8] }
    }

    /// Every lane its own, in its lane of the elements.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn of_lanes<const ELEMENTS: usize>(rows: &[[Field; ELEMENTS]]) -> Self {
        let words = rows.as_flattened().iter().flat_map(|element| element.words()).flatten().collect();
        Self { words, row: ELEMENTS * LIMBS * 8, limb: 8, start: [0, 1, 2, 3, 4, 5, 6, 7] }
    }

    /// The point at `digit`, of the elements that are its x and y.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn point(&self, digit: Digit, x: usize, y: usize) -> Affine {
        let [a, b, c, d, e, f, g, h] = self.start;
        let row = _mm512_mul_epu32(digit.row, _mm512_set1_epi64(self.row as i64));
        let place = _mm512_add_epi64(row, _mm512_setr_epi64(a, b, c, d, e, f, g, h));
        Affine { x: self.element(place, x), y: self.element(place, y).negated_where(digit.negative) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn element(&self, place: __m512i, element: usize) -> Field {
        let mut limbs = [_mm512_setzero_si512(); LIMBS];
        for (limb, vector) in limbs.iter_mut().enumerate() {
            let words = &self.words[(element * LIMBS + limb) * self.limb..];
            assert!(!words.is_empty());
            let place = _mm512_min_epu64(place, _mm512_set1_epi64(words.len() as i64 - 1));
            // SAFETY: every place is that of a word of the slice.
            *vector = unsafe { _mm512_i64gather_epi64::<8>(place, words.as_ptr().cast()) };
        }
        Field::from_vectors(limbs)
    }
}

/// Bits of a window of the generator: 2 · 512 points of 80 bytes fit the second-level cache.
pub const GENERATOR_BITS: u32 = 10;

/// The odd multiples of G and of 2^128·G. Made in some milliseconds, when they are first needed.
pub static GENERATOR: LazyLock<[Table; 2]> = LazyLock::new(|| {
    let generator = PublicKey::from_slice(&[&[2], &GENERATOR_X[..]].concat()).expect("G is a point");
    let shifted = (0..128).fold(generator, |point, _| sum(&point, &point));
    [generator, shifted].map(odd_multiples)
});

fn odd_multiples(point: PublicKey) -> Table {
    let twice = sum(&point, &point);
    let points = std::iter::successors(Some(point), |point| Some(sum(point, &twice)));
    Table::shared(points.take(1 << (GENERATOR_BITS - 1)).map(|point| {
        let bytes = point.serialize_uncompressed();
        [&bytes[1..33], &bytes[33..]].map(|half| limbs(U256::from_be_slice(half)))
    }))
}

fn sum(a: &PublicKey, b: &PublicKey) -> PublicKey {
    a.combine(b).expect("multiples far below n of a point are never opposite")
}
