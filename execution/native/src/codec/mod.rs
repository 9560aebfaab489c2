//! Bytes in and out: the wire formats of Ethereum that this engine reads and writes.

pub mod block_rows;
pub mod flashblock;
pub mod header;
pub mod receipt;
pub mod rlp;
pub mod transaction;
mod unsigned;
