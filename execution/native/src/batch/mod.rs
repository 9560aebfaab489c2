//! The transactions of a batch body, as columns of their fields.
//!
//! `da/transaction_columns.py` draws the format and is the twin in Python: both give the same bytes for the same
//! transactions, and read the same bytes.

mod column;
mod fields;
mod transactions;

pub use transactions::{Bounds, decode, encode};
