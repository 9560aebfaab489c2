//! The transactions of a batch body and their arrivals, as columns of their fields.
//!
//! `da/transaction_columns.py` and `da/body.py` draw the format, with the twins in Python: both give the same bytes for the same
//! transactions, and read the same bytes.

pub mod arrivals;
mod column;
mod fields;
mod transactions;

pub use transactions::{Bounds, decode, encode};

use column::{Reader, Writer};

use crate::codec::flashblock::Arrival;

/// `uint size || section || arrivals`, which stand together in a body.
pub fn encode_all(raws: &[&[u8]], arrivals: &[Arrival]) -> Vec<u8> {
    let section = encode(raws);
    let mut out = Writer::default();
    out.uint(section.len() as u128);
    out.out.extend_from_slice(&section);
    out.out.extend_from_slice(&arrivals::encode(arrivals));
    out.out
}

/// Where what begins at `start` of `data` ends, if it reads as exactly `raws` and `arrivals`.
pub fn holds(data: &[u8], start: usize, raws: &[&[u8]], arrivals: &[Arrival], bounds: Bounds) -> Option<usize> {
    let mut reader = Reader::new(data.get(start..)?);
    let size = reader.u64s(1).ok()?.pop()?;
    let section = reader.take(usize::try_from(size).ok()?).ok()?;
    let read = decode(section, raws.len(), bounds).ok()?;
    if !read.iter().zip(raws).all(|(read, raw)| read == raw) {
        return None;
    }
    let (read, end) = self::arrivals::decode(data, data.len() - reader.left(), arrivals.len()).ok()?;
    (read == arrivals).then_some(end)
}
