//! The transactions of a batch body and their arrivals, as columns of their fields.
//!
//! `da/transaction_columns.py` and `da/body.py` draw the format, with the twins in Python: both give the same bytes for the same
//! transactions, and read the same bytes.

pub mod arrivals;
mod column;
mod fields;
mod transactions;

pub use transactions::{Bounds, decode, encode};
