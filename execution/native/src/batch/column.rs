//! Columns of integers and byte strings. `da/columns.py` draws the kinds.

use std::hash::Hash;

use alloy_primitives::map::HashMap;

use crate::codec::rlp::Malformed;

const TOO_SHORT: Malformed = "a column is longer than the bytes that are left";
const TOO_LARGE: Malformed = "an integer has too many bits";

/// Appends columns to one byte string.
#[derive(Debug, Default)]
pub struct Writer {
    pub out: Vec<u8>,
}

impl Writer {
    pub fn uint(&mut self, mut value: u128) {
        while value > 0x7f {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    pub fn deltas(&mut self, values: impl Iterator<Item = u64>) {
        let mut before = 0;
        for value in values {
            let step = i128::from(value) - i128::from(before);
            self.uint(((step << 1) ^ (step >> 127)) as u128);
            before = value;
        }
    }

    pub fn strings<'a>(&mut self, values: impl Iterator<Item = &'a [u8]> + Clone) {
        for value in values.clone() {
            self.uint(value.len() as u128);
        }
        for value in values {
            self.out.extend_from_slice(value);
        }
    }

    /// Byte strings, place by place, the highest first.
    pub fn planes<T: AsRef<[u8]>>(&mut self, values: &[T]) {
        let highest = values.iter().map(|value| value.as_ref().len()).max().unwrap_or(0);
        for place in (1..=highest).rev() {
            self.out.extend(values.iter().filter_map(|value| {
                let value = value.as_ref();
                value.len().checked_sub(place).map(|at| value[at])
            }));
        }
    }

    /// Columns over one set of values. Returns the different ones, to be written next.
    pub fn index<T: Copy + Eq + Hash>(&mut self, columns: &[Vec<T>]) -> Vec<T> {
        let mut known: HashMap<T, u32> = HashMap::default();
        let mut different = Vec::new();
        let mut rows = Vec::with_capacity(columns.len());
        for column in columns {
            let mut row = Vec::with_capacity(column.len());
            for value in column {
                let next = different.len() as u32 + 1;
                let number = *known.entry(*value).or_insert(next);
                if number == next {
                    different.push(*value);
                }
                row.push(if number == next { 0 } else { number });
            }
            rows.push(row);
        }
        self.uint(different.len() as u128);
        for row in rows {
            for plane in (0..index_bytes(different.len())).rev() {
                self.out.extend(row.iter().map(|number| (number >> (8 * plane)) as u8));
            }
        }
        different
    }
}

/// Bytes of a number up to `count`.
fn index_bytes(count: usize) -> usize {
    (usize::BITS - count.leading_zeros()).div_ceil(8) as usize
}

/// Reads columns in the order in which they were written; every count is checked before anything is allocated.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// Bytes that are not read yet.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err("bytes after the last column") }
    }

    pub fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// An integer of at most `bits` bits, which are at most 128.
    pub fn uint(&mut self, bits: u32) -> Result<u128, Malformed> {
        let mut value = 0u128;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.rest.split_first().ok_or(TOO_SHORT)?;
            self.rest = rest;
            let group = u128::from(byte & 0x7f);
            if shift > 0 && (shift >= bits || group << shift >> shift != group) {
                return Err(TOO_LARGE);
            }
            value |= group << shift;
            if *byte < 0x80 {
                if *byte == 0 && shift > 0 {
                    return Err("an integer is not minimal");
                }
                break;
            }
            shift += 7;
        }
        if bits < 128 && value >> bits != 0 { Err(TOO_LARGE) } else { Ok(value) }
    }

    pub fn uints(&mut self, count: usize, bits: u32) -> Result<Vec<u128>, Malformed> {
        if count > self.rest.len() {
            return Err(TOO_SHORT);
        }
        (0..count).map(|_| self.uint(bits)).collect()
    }

    pub fn u64s(&mut self, count: usize) -> Result<Vec<u64>, Malformed> {
        Ok(self.uints(count, 64)?.into_iter().map(|value| value as u64).collect())
    }

    pub fn deltas(&mut self, count: usize) -> Result<Vec<u64>, Malformed> {
        let mut value = 0i128;
        let zigzags = self.uints(count, 65)?.into_iter();
        let values = zigzags.map(|zigzag| {
            value += (zigzag >> 1) as i128 ^ -((zigzag & 1) as i128);
            u64::try_from(value).map_err(|_| "a difference leaves the range of 64 bits")
        });
        values.collect()
    }

    /// Byte strings of these sizes, one after the other.
    pub fn blocks(&mut self, sizes: &[usize]) -> Result<Vec<&'a [u8]>, Malformed> {
        sizes.iter().map(|size| self.take(*size)).collect()
    }

    pub fn fixed<const N: usize>(&mut self, count: usize) -> Result<&'a [[u8; N]], Malformed> {
        Ok(self.take(count.checked_mul(N).ok_or(TOO_SHORT)?)?.as_chunks().0)
    }

    /// Big-endian numbers of `sizes` bytes, at most 32, that were written place by place; in the last bytes of each.
    pub fn planes(&mut self, sizes: &[u8]) -> Result<Vec<[u8; 32]>, Malformed> {
        let mut values = vec![[0; 32]; sizes.len()];
        for place in (1..=sizes.iter().copied().max().unwrap_or(0)).rev() {
            let here = sizes.iter().filter(|size| **size >= place).count();
            let mut bytes = self.take(here)?.iter();
            for (value, _) in values.iter_mut().zip(sizes).filter(|(_, size)| **size >= place) {
                value[32 - usize::from(place)] = *bytes.next().unwrap_or(&0);
            }
        }
        Ok(values)
    }

    /// Columns of `counts` values over one set: each value's place in the set, which is to be read next, and the
    /// size of the set.
    pub fn index(&mut self, counts: &[usize]) -> Result<(Vec<Vec<usize>>, usize), Malformed> {
        let different = self.uint(64)? as usize;
        if different > counts.iter().sum() {
            return Err("more different values than there are values");
        }
        let planes = index_bytes(different);
        let mut rows = Vec::with_capacity(counts.len());
        let mut new = 0;
        for count in counts {
            let bytes = self.take(count * planes)?;
            let mut row = Vec::with_capacity(*count);
            for at in 0..*count {
                let number = (0..planes).fold(0, |number, plane| number << 8 | usize::from(bytes[plane * count + at]));
                new += usize::from(number == 0);
                row.push(if number == 0 { new } else { number } - 1);
            }
            if row.iter().any(|place| *place >= different) {
                return Err("a value refers to none that is there");
            }
            rows.push(row);
        }
        Ok((rows, different))
    }
}
