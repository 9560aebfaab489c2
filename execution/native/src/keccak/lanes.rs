//! Keccak-f[1600] on eight states at once: word i of all of them is one register (FIPS 202, section 3).

use std::arch::x86_64::*;
use std::array::from_fn;

use alloy_primitives::B256;

use super::{LANES, RATE, blocks};

const WORDS: usize = RATE / 8;

/// One word of each of eight states.
type Vector = __m512i;
/// Word x + 5y is that of column x in row y.
type State = [Vector; 25];

const ROTATIONS: [i64; 25] =
    [0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14];

const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// What a ternary operation gives for the bits of (a, b, c) as an index: a ^ b ^ c, and a ^ (!b & c).
const XOR: i32 = 0b1001_0110;
const CHI: i32 = 0b1101_0010;

/// The hash of each message. As many permutations as the longest takes; a lane's hash is read after its own last.
#[target_feature(enable = "avx512f")]
pub fn digests(messages: &[&[u8]; LANES]) -> [B256; LANES] {
    let ends = messages.map(blocks);
    let mut state = [_mm512_setzero_si512(); 25];
    let mut digests = [B256::ZERO; LANES];
    for at in 0..ends.into_iter().max().unwrap_or(0) {
        absorb(&mut state, messages, at);
        permute(&mut state);
        if ends.contains(&(at + 1)) {
            let words: [[u64; LANES]; 4] = from_fn(|word| words(state[word]));
            for lane in (0..LANES).filter(|lane| ends[*lane] == at + 1) {
                for (bytes, word) in digests[lane].chunks_exact_mut(8).zip(words) {
                    bytes.copy_from_slice(&word[lane].to_le_bytes());
                }
            }
        }
    }
    digests
}

/// Takes in block `at` of each message. What a lane gets behind its last block does not matter: its hash was read.
#[inline]
#[target_feature(enable = "avx512f")]
fn absorb(state: &mut State, messages: &[&[u8]; LANES], at: usize) {
    let mut block = [[0; LANES]; WORDS];
    for (lane, message) in messages.iter().enumerate() {
        let rest = message.get(at * RATE..).unwrap_or_default();
        match rest.first_chunk::<RATE>() {
            Some(whole) => put(&mut block, lane, whole),
            None => put(&mut block, lane, &padded(rest)),
        }
    }
    for (word, lanes) in state.iter_mut().zip(block) {
        *word = _mm512_xor_si512(*word, vector(lanes));
    }
}

#[inline]
fn put(block: &mut [[u64; LANES]; WORDS], lane: usize, bytes: &[u8; RATE]) {
    for (word, bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
        word[lane] = u64::from_le_bytes(*bytes);
    }
}

#[inline]
fn padded(rest: &[u8]) -> [u8; RATE] {
    let mut block = [0; RATE];
    block[..rest.len()].copy_from_slice(rest);
    block[rest.len()] = 1;
    block[RATE - 1] |= 0x80;
    block
}

#[inline]
#[target_feature(enable = "avx512f")]
fn permute(state: &mut State) {
    for constant in ROUNDS {
        *state = round(state, constant);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn round(a: &State, constant: u64) -> State {
    let columns: [Vector; 5] = from_fn(|x| xor(xor(a[x], a[x + 5], a[x + 10]), a[x + 15], a[x + 20]));
    let rotated = columns.map(|column| _mm512_rol_epi64::<1>(column));
    let mut b = *a;
    for y in 0..5 {
        for x in 0..5 {
            let mixed = xor(a[x + 5 * y], columns[(x + 4) % 5], rotated[(x + 1) % 5]);
            b[y + 5 * ((2 * x + 3 * y) % 5)] = _mm512_rolv_epi64(mixed, _mm512_set1_epi64(ROTATIONS[x + 5 * y]));
        }
    }
    let mut next: State = from_fn(|at| {
        let (x, row) = (at % 5, at - at % 5);
        _mm512_ternarylogic_epi64::<CHI>(b[at], b[row + (x + 1) % 5], b[row + (x + 2) % 5])
    });
    next[0] = _mm512_xor_si512(next[0], _mm512_set1_epi64(constant as i64));
    next
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi64::<XOR>(a, b, c)
}

#[inline]
fn vector(lanes: [u64; LANES]) -> Vector {
    // SAFETY: any 64 bytes are a vector.
    unsafe { std::mem::transmute(lanes) }
}

#[inline]
fn words(vector: Vector) -> [u64; LANES] {
    // SAFETY: a vector is 64 bytes, and any are eight words.
    unsafe { std::mem::transmute(vector) }
}
