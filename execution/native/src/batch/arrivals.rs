//! When the transactions of a batch came in: `delta sequence || uint ageMs || fixed origin(1)`.

use super::column::{Reader, Writer};
use crate::codec::flashblock::Arrival;
use crate::codec::rlp::Malformed;

/// The columns of `arrivals`.
pub fn encode(arrivals: &[Arrival]) -> Vec<u8> {
    let mut out = Writer::default();
    out.out.reserve(arrivals.len() * 5);
    out.deltas(arrivals.iter().map(|(sequence, _, _)| *sequence));
    for (_, age_ms, _) in arrivals {
        out.uint(u128::from(*age_ms));
    }
    out.out.extend(arrivals.iter().map(|(_, _, origin)| *origin));
    out.out
}

/// The `count` arrivals in the columns that begin at `start`, and where these end.
pub fn decode(data: &[u8], start: usize, count: usize) -> Result<(Vec<Arrival>, usize), Malformed> {
    let mut reader = Reader::new(data.get(start..).unwrap_or_default());
    let sequences = reader.deltas(count)?;
    let ages = reader.u64s(count)?;
    let origins = reader.take(count)?;
    let arrivals =
        sequences.into_iter().zip(ages).zip(origins).map(|((sequence, age), origin)| (sequence, age, *origin));
    Ok((arrivals.collect(), data.len() - reader.left()))
}
