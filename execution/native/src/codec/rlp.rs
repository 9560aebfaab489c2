//! Recursive Length Prefix (Yellow Paper, appendix B), strict: only the canonical encoding of a value is read.
//!
//! Reading never copies: items borrow from the input, so that a transaction's fields can be sliced out of its
//! raw bytes.

use alloy_primitives::{Address, B256, U256};

/// What an input breaks.
pub type Malformed = &'static str;

/// One encoded item: a byte string, or the concatenated items of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    Bytes(&'a [u8]),
    List(&'a [u8]),
}

/// The items of a payload, one after another.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn item(&mut self) -> Result<Item<'a>, Malformed> {
        let prefix = *self.rest.first().ok_or("rlp: unexpected end of input")?;
        if prefix < 0x80 {
            let (one, rest) = self.rest.split_at(1);
            self.rest = rest;
            return Ok(Item::Bytes(one));
        }
        let list = prefix >= 0xc0;
        let payload = self.payload(prefix - if list { 0xc0 } else { 0x80 })?;
        if list {
            return Ok(Item::List(payload));
        }
        if payload.len() == 1 && payload[0] < 0x80 {
            return Err("rlp: single byte below 0x80 must stand for itself");
        }
        Ok(Item::Bytes(payload))
    }

    /// The payload behind a prefix whose offset from 0x80 or 0xc0 is `short`.
    fn payload(&mut self, short: u8) -> Result<&'a [u8], Malformed> {
        let (start, size) = if short < 56 {
            (1, short as usize)
        } else {
            let width = (short - 55) as usize;
            let length = self.rest.get(1..1 + width).ok_or("rlp: length is not minimal")?;
            if length[0] == 0 {
                return Err("rlp: length is not minimal");
            }
            let size = length.iter().fold(0usize, |sum, byte| sum << 8 | *byte as usize);
            if size < 56 {
                return Err("rlp: length is not minimal");
            }
            (1 + width, size)
        };
        let stop = start.checked_add(size).filter(|stop| *stop <= self.rest.len());
        let stop = stop.ok_or("rlp: value is larger than its container")?;
        let payload = &self.rest[start..stop];
        self.rest = &self.rest[stop..];
        Ok(payload)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        match self.item()? {
            Item::Bytes(bytes) => Ok(bytes),
            Item::List(_) => Err("rlp: expected a byte string, got a list"),
        }
    }

    pub fn list(&mut self) -> Result<Reader<'a>, Malformed> {
        match self.item()? {
            Item::List(payload) => Ok(Reader::new(payload)),
            Item::Bytes(_) => Err("rlp: expected a list, got a byte string"),
        }
    }

    pub fn u256(&mut self) -> Result<U256, Malformed> {
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) {
            return Err("rlp: integer with leading zero");
        }
        U256::try_from_be_slice(bytes).ok_or("rlp: integer larger than 256 bits")
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.u256()?.try_into().map_err(|_| "rlp: integer larger than 64 bits")
    }

    pub fn hash(&mut self) -> Result<B256, Malformed> {
        B256::try_from(self.bytes()?).map_err(|_| "rlp: expected 32 bytes")
    }

    pub fn address(&mut self) -> Result<Address, Malformed> {
        Address::try_from(self.bytes()?).map_err(|_| "rlp: expected 20 bytes")
    }

    /// Refuses items beyond those of the format.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err("rlp: more items than expected") }
    }
}

/// The one list that `data` encodes, with nothing behind it.
pub fn sole_list(data: &[u8]) -> Result<Reader<'_>, Malformed> {
    let mut reader = Reader::new(data);
    let list = reader.list()?;
    if reader.is_empty() { Ok(list) } else { Err("rlp: bytes after the end of the item") }
}

/// Appends the encoding of a byte string.
pub fn put_bytes(out: &mut Vec<u8>, data: &[u8]) {
    if data.len() == 1 && data[0] < 0x80 {
        out.push(data[0]);
    } else {
        put_prefix(out, 0x80, data.len());
        out.extend_from_slice(data);
    }
}

/// Appends the encoding of an integer: its minimal big-endian bytes.
pub fn put_uint(out: &mut Vec<u8>, value: U256) {
    let bytes = value.to_be_bytes::<32>();
    put_bytes(out, &bytes[value.leading_zeros() / 8..]);
}

/// Appends the encoding of a 64-bit integer.
pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    put_bytes(out, &bytes[value.leading_zeros() as usize / 8..]);
}

/// The list whose items are encoded in `payload`.
pub fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 9);
    put_list(&mut out, payload);
    out
}

/// Appends the list whose items are encoded in `payload`.
pub fn put_list(out: &mut Vec<u8>, payload: &[u8]) {
    put_prefix(out, 0xc0, payload.len());
    out.extend_from_slice(payload);
}

/// Appends the list whose items `put` appends.
pub fn put_list_of(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put(out);
    let stop = out.len();
    put_prefix(out, 0xc0, stop - start);
    let prefix = out.len() - stop;
    out[start..].rotate_right(prefix);
}

fn put_prefix(out: &mut Vec<u8>, base: u8, size: usize) {
    if size < 56 {
        out.push(base + size as u8);
    } else {
        let bytes = (size as u64).to_be_bytes();
        let length = &bytes[(size as u64).leading_zeros() as usize / 8..];
        out.push(base + 55 + length.len() as u8);
        out.extend_from_slice(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_and_reads_back() {
        let mut payload = Vec::new();
        put_u64(&mut payload, 0);
        put_u64(&mut payload, 1024);
        put_bytes(&mut payload, &[7; 60]);
        put_uint(&mut payload, U256::MAX);
        let encoded = list(&payload);
        let mut reader = sole_list(&encoded).unwrap();
        assert_eq!(reader.u64(), Ok(0));
        assert_eq!(reader.u64(), Ok(1024));
        assert_eq!(reader.bytes(), Ok(&[7u8; 60][..]));
        assert_eq!(reader.u256(), Ok(U256::MAX));
        assert_eq!(reader.end(), Ok(()));
        let mut same = vec![9];
        put_list_of(&mut same, |out| out.extend_from_slice(&payload));
        assert_eq!(same[1..], encoded);
    }

    #[test]
    fn refuses_what_is_not_canonical() {
        let cases: [&[u8]; 7] = [
            &[0x81, 0x05],
            &[0xb8, 0x01, 0xff],
            &[0xb9, 0x00, 0x38],
            &[0x82, 0x01],
            &[0xc2, 0x01],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[],
        ];
        for case in cases {
            assert!(Reader::new(case).item().is_err(), "{case:x?}");
        }
        assert!(Reader::new(&[0x82, 0x00, 0x01]).u64().is_err());
        assert!(sole_list(&[0xc0, 0xc0]).is_err());
    }
}
