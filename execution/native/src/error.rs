//! What can go wrong, by what the caller should do about it.
//!
//! The Python adapter translates each kind into the node's own exception of the same meaning, so no other part
//! ever sees an exception of this library.

use std::fmt;

/// Why the engine could not do what it was asked.
#[derive(Debug, Clone)]
pub enum Error {
    /// The request itself is at fault; nothing has changed.
    Refused(Refusal),
    /// It may work later, or elsewhere: a state that is not kept, a full disk.
    Temporary(String),
    /// The process must not go on with this engine.
    Fatal(String),
    /// A defect came up in a read: it costs the answer, and nothing has changed.
    Defect(String),
    /// A read took longer than it may, and was stopped.
    Deadline,
    /// What a read would answer is too much to hold, and it was stopped.
    TooLarge,
}

/// A refused transaction or request: a stable tag of the node's reasons, and geth's detail text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: &'static str,
    pub detail: String,
}

impl Refusal {
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Bytes that are not a canonical transaction.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(reason::MALFORMED, detail)
    }
}

/// The tags of `sequencer.core.errors.Reason` that this engine can give.
pub mod reason {
    pub const MALFORMED: &str = "malformed";
    pub const TYPE_NOT_SUPPORTED: &str = "type_not_supported";
    pub const OVERSIZED_DATA: &str = "oversized_data";
    pub const UNPROTECTED: &str = "unprotected";
    pub const WRONG_CHAIN: &str = "wrong_chain";
    pub const INVALID_SENDER: &str = "invalid_sender";
    pub const TIP_ABOVE_FEE_CAP: &str = "tip_above_fee_cap";
    pub const FEE_CAP_BELOW_BASE_FEE: &str = "fee_cap_below_base_fee";
    pub const UNDERPRICED: &str = "underpriced";
    pub const INTRINSIC_GAS: &str = "intrinsic_gas";
    pub const FLOOR_DATA_GAS: &str = "floor_data_gas";
    pub const GAS_LIMIT: &str = "gas_limit";
    pub const GAS_LIMIT_REACHED: &str = "gas_limit_reached";
    pub const INIT_CODE_TOO_LARGE: &str = "init_code_too_large";
    pub const EMPTY_AUTHORIZATIONS: &str = "empty_authorizations";
    pub const SET_CODE_CREATION: &str = "set_code_creation";
    pub const NONCE_TOO_LOW: &str = "nonce_too_low";
    pub const NONCE_TOO_HIGH: &str = "nonce_too_high";
    pub const NONCE_MAX: &str = "nonce_max";
    pub const INSUFFICIENT_FUNDS: &str = "insufficient_funds";
    pub const SENDER_NOT_EOA: &str = "sender_not_eoa";
    pub const INVALID_OVERRIDE: &str = "invalid_override";
    pub const BLOCK_GAS_LIMIT: &str = "block_gas_limit";
    pub const BLOCK_NUMBER_ORDER: &str = "block_number_order";
    pub const BLOCK_TIME_ORDER: &str = "block_time_order";
    pub const TOO_MANY_BLOCKS: &str = "too_many_blocks";
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{}: {}", refusal.reason, refusal.detail),
            Self::Temporary(text) | Self::Fatal(text) | Self::Defect(text) => f.write_str(text),
            Self::Deadline => f.write_str("execution took longer than it may"),
            Self::TooLarge => f.write_str("the trace is too large: ask for less of it"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<fjall::Error> for Error {
    /// A store that fails leaves no way to know what is on disk.
    fn from(error: fjall::Error) -> Self {
        match &error {
            fjall::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => {
                Self::Temporary(format!("state store: {error}"))
            }
            _ => Self::Fatal(format!("state store: {error}")),
        }
    }
}

/// revm asks for an error type of its own for the state that it reads.
impl revm::database_interface::DBErrorMarker for Error {}

pub type Result<T, E = Error> = std::result::Result<T, E>;
