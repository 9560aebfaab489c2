"""Errors by what the caller should do about them (architecture, section 5).

``Rejected`` is returned to whoever asked; ``Temporary`` is tried again later; after ``Unknown`` one
looks before acting; ``Fatal`` ends the process; a ``Defect`` costs one answer. Exceptions of libraries
are translated into these in the adapter that calls the library, so no other part ever catches a foreign
exception.
"""

from enum import StrEnum


class SequencerError(Exception):
    """Base of everything this node raises on purpose."""


class Reason(StrEnum):
    """Why a transaction or request was refused. The value is a stable tag for metric labels."""

    MALFORMED = "malformed"
    TYPE_NOT_SUPPORTED = "type_not_supported"
    OVERSIZED_DATA = "oversized_data"
    UNPROTECTED = "unprotected"
    WRONG_CHAIN = "wrong_chain"
    INVALID_SENDER = "invalid_sender"
    TIP_ABOVE_FEE_CAP = "tip_above_fee_cap"
    FEE_CAP_TOO_LARGE = "fee_cap_too_large"
    FEE_CAP_BELOW_BASE_FEE = "fee_cap_below_base_fee"
    UNDERPRICED = "underpriced"
    REPLACEMENT_UNDERPRICED = "replacement_underpriced"
    INTRINSIC_GAS = "intrinsic_gas"
    FLOOR_DATA_GAS = "floor_data_gas"
    GAS_LIMIT = "gas_limit"
    GAS_LIMIT_REACHED = "gas_limit_reached"
    INIT_CODE_TOO_LARGE = "init_code_too_large"
    EMPTY_AUTHORIZATIONS = "empty_authorizations"
    SET_CODE_CREATION = "set_code_creation"
    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_TOO_HIGH = "nonce_too_high"
    NONCE_MAX = "nonce_max"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    SENDER_NOT_EOA = "sender_not_eoa"
    INVALID_OVERRIDE = "invalid_override"
    BLOCK_GAS_LIMIT = "block_gas_limit"
    BLOCK_NUMBER_ORDER = "block_number_order"
    BLOCK_TIME_ORDER = "block_time_order"
    TOO_MANY_BLOCKS = "too_many_blocks"
    ALREADY_KNOWN = "already_known"
    ACCOUNT_LIMIT = "account_limit"
    POOL_FULL = "pool_full"
    DELEGATED_LIMIT = "delegated_limit"
    DELEGATED_GAPPED = "delegated_gapped"
    REPLACED = "replaced"
    EVICTED = "evicted"
    EXPIRED = "expired"
    NOT_ACCEPTING = "not_accepting"


TEXT: dict[Reason, str] = {
    Reason.MALFORMED: "rlp: value is not a transaction",
    Reason.TYPE_NOT_SUPPORTED: "transaction type not supported",
    Reason.OVERSIZED_DATA: "oversized data",
    Reason.UNPROTECTED: "only replay-protected (EIP-155) transactions allowed over RPC",
    Reason.WRONG_CHAIN: "invalid sender: invalid chain id for signer",
    Reason.INVALID_SENDER: "invalid sender",
    Reason.TIP_ABOVE_FEE_CAP: "max priority fee per gas higher than max fee per gas",
    Reason.FEE_CAP_TOO_LARGE: "max fee per gas higher than 2^256-1",
    Reason.FEE_CAP_BELOW_BASE_FEE: "max fee per gas less than block base fee",
    Reason.UNDERPRICED: "transaction underpriced",
    Reason.REPLACEMENT_UNDERPRICED: "replacement transaction underpriced",
    Reason.INTRINSIC_GAS: "intrinsic gas too low",
    Reason.FLOOR_DATA_GAS: "insufficient gas for floor data gas cost",
    Reason.GAS_LIMIT: "exceeds block gas limit",
    Reason.GAS_LIMIT_REACHED: "gas limit reached",
    Reason.INIT_CODE_TOO_LARGE: "max initcode size exceeded",
    Reason.EMPTY_AUTHORIZATIONS: "EIP-7702 transaction with empty auth list",
    Reason.SET_CODE_CREATION: "EIP-7702 transaction cannot be used to create contract",
    Reason.NONCE_TOO_LOW: "nonce too low",
    Reason.NONCE_TOO_HIGH: "nonce too high",
    Reason.NONCE_MAX: "nonce has max value",
    Reason.INSUFFICIENT_FUNDS: "insufficient funds for gas * price + value",
    Reason.SENDER_NOT_EOA: "sender not an eoa",
    Reason.INVALID_OVERRIDE: "invalid override",
    Reason.BLOCK_GAS_LIMIT: "block gas limit reached",
    Reason.BLOCK_NUMBER_ORDER: "block numbers must be in order",
    Reason.BLOCK_TIME_ORDER: "block timestamps must be in order",
    Reason.TOO_MANY_BLOCKS: "too many blocks",
    Reason.ALREADY_KNOWN: "already known",
    Reason.ACCOUNT_LIMIT: "account limit exceeded",
    Reason.POOL_FULL: "txpool is full",
    Reason.DELEGATED_LIMIT: "in-flight transaction limit reached for delegated accounts",
    Reason.DELEGATED_GAPPED: "gapped-nonce tx from delegated accounts",
    Reason.REPLACED: "replaced by a transaction with higher fees",
    Reason.EVICTED: "evicted to make room in the txpool",
    Reason.EXPIRED: "expired while waiting for an earlier nonce or for funds",
    Reason.NOT_ACCEPTING: "sequencer is not accepting transactions",
}
"""geth's words, which wallets and libraries match on (core/error.go, core/txpool/errors.go)."""


class Rejected(SequencerError):
    """The caller's fault: the request is refused, with geth's text, and nothing has changed.

    ``detail`` is appended after ``": "`` as geth does (``nonce too low: next nonce 5, tx nonce 3``).
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{TEXT[reason]}: {detail}" if detail else TEXT[reason])


class NonceGap(Rejected):
    """The transaction cannot be executed before others of its sender come: ``expected`` is the nonce that is due."""

    def __init__(self, expected: int, nonce: int) -> None:
        self.expected = expected
        super().__init__(Reason.NONCE_TOO_HIGH, f"next nonce {expected}, tx nonce {nonce}")


class Malformed(SequencerError, ValueError):
    """Bytes or text that do not parse. Carries what was expected, never the secret or whole input."""


class Temporary(SequencerError):
    """It may work later without anyone changing anything: try again with backoff."""


class Unknown(SequencerError):
    """It may or may not have happened: look before acting."""


class Fatal(SequencerError):
    """The process must not go on: it leaves the task group and the exit code says so."""


class Defect(SequencerError):
    """The node met a mistake of its own where nothing had changed yet: in a read, in arguments that do not fit. What
    anybody may ask for must cost the one answer then, not the chain; whoever builds on the answer stops by it."""


class ConfigError(SequencerError):
    """A setting is wrong. Names the key, the value and the reason; the command line exits with 2."""

    def __init__(self, key: str, value: object, reason: str) -> None:
        self.key = key
        self.value = value
        self.reason = reason
        super().__init__(f"{key} = {value!r}: {reason}")


class DeadlineExceeded(SequencerError):
    """A read took longer than it may, and was stopped."""


class SlowSubscriber(SequencerError):
    """A subscriber fell so far behind that events would be lost; it is dropped and told so."""
