//! Paths in nibbles: half bytes, the digits of a trie's keys.

use std::fmt;

use crate::codec::rlp;

/// At most 64 nibbles, one a byte.
///
/// The fields stand in the order that makes the derived comparison that of the keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    nibbles: [u8; 64],
    size: u8,
}

impl Path {
    pub const EMPTY: Self = Self { size: 0, nibbles: [0; 64] };

    /// The nibbles of whole bytes, high half first. At most 32 bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut path = Self::EMPTY;
        for byte in bytes {
            path.push(byte >> 4);
            path.push(byte & 15);
        }
        path
    }

    pub fn of_nibbles(nibbles: &[u8]) -> Self {
        let mut path = Self::EMPTY;
        path.extend(nibbles);
        path
    }

    pub fn nibbles(&self) -> &[u8] {
        &self.nibbles[..self.size as usize]
    }

    pub fn len(&self) -> usize {
        self.size as usize
    }

    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    pub fn push(&mut self, nibble: u8) {
        self.nibbles[self.size as usize] = nibble;
        self.size += 1;
    }

    pub fn extend(&mut self, nibbles: &[u8]) {
        let start = self.size as usize;
        self.nibbles[start..start + nibbles.len()].copy_from_slice(nibbles);
        self.size += nibbles.len() as u8;
    }

    /// This path and then `nibbles`.
    pub fn join(&self, nibbles: &[u8]) -> Self {
        let mut path = *self;
        path.extend(nibbles);
        path
    }

    /// This path and then one more nibble.
    pub fn child(&self, nibble: u8) -> Self {
        self.join(&[nibble])
    }

    /// The bytes of a full path of even length.
    pub fn to_bytes(self) -> Vec<u8> {
        self.nibbles().chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// Appends the hex-prefix encoding (Yellow Paper, appendix C) as a byte string.
    pub fn put_compact(out: &mut Vec<u8>, nibbles: &[u8], leaf: bool) {
        let flag = if leaf { 2 } else { 0 };
        let mut encoded = [0; 33];
        let mut rest = nibbles;
        encoded[0] = flag << 4;
        if nibbles.len() % 2 == 1 {
            encoded[0] = (flag + 1) << 4 | nibbles[0];
            rest = &nibbles[1..];
        }
        for (byte, pair) in encoded[1..].iter_mut().zip(rest.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        rlp::put_bytes(out, &encoded[..nibbles.len() / 2 + 1]);
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for nibble in self.nibbles() {
            write!(f, "{nibble:x}")?;
        }
        Ok(())
    }
}

/// How many leading nibbles two paths share.
pub fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
