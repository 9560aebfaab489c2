"""Every error that a caller of JSON-RPC can see: one table of codes and texts.

Wallets and libraries match on these codes and on geth's words, so both are fixed here and nowhere else.
``translate`` maps the errors of the node's core; whatever it does not know is an internal error whose
details stay in the log.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from sequencer.core.errors import DeadlineExceeded, Reason, Rejected, SequencerError, Temporary


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A JSON-RPC error code and the text it comes with when nothing more exact is known."""

    code: int
    text: str


class Errors(Enum):
    """The table. Codes: JSON-RPC 2.0, EIP-1474, EIP-7966, geth and the execution API."""

    PARSE = ErrorKind(-32700, "parse error")
    INVALID_REQUEST = ErrorKind(-32600, "invalid request")
    BATCH_TOO_LARGE = ErrorKind(-32600, "batch too large")
    METHOD_NOT_FOUND = ErrorKind(-32601, "the method {method} does not exist/is not available")
    NO_NOTIFICATIONS = ErrorKind(-32601, "notifications not supported")
    NO_SUBSCRIPTION_KIND = ErrorKind(-32601, 'no "{kind}" subscription in eth namespace')
    INVALID_PARAMS = ErrorKind(-32602, "invalid params")
    INTERNAL = ErrorKind(-32603, "internal error")
    SERVER = ErrorKind(-32000, "server error")
    TIMEOUT = ErrorKind(-32002, "request timed out")
    CONDITION_FAILED = ErrorKind(-32003, "transaction conditional failed")
    RESPONSE_TOO_LARGE = ErrorKind(-32003, "response too large")
    LIMIT_EXCEEDED = ErrorKind(-32005, "limit exceeded")
    REVERTED = ErrorKind(3, "execution reverted")
    SYNC_TIMEOUT = ErrorKind(4, "the transaction was added to the mempool but wasn't processed in {timeout}")
    SYNC_NOT_READY = ErrorKind(5, "the node is not ready to process the transaction")
    SYNC_NONCE_GAP = ErrorKind(6, "nonce too high: next nonce {expected}, tx nonce {nonce}")
    PRUNED = ErrorKind(4444, "pruned history unavailable")
    SIMULATED_NONCE_TOO_LOW = ErrorKind(-38010, "nonce too low")
    SIMULATED_NONCE_TOO_HIGH = ErrorKind(-38011, "nonce too high")
    SIMULATED_BASE_FEE = ErrorKind(-38012, "max fee per gas less than block base fee")
    SIMULATED_INTRINSIC_GAS = ErrorKind(-38013, "intrinsic gas too low")
    SIMULATED_FUNDS = ErrorKind(-38014, "insufficient funds for gas * price + value")
    SIMULATED_BLOCK_GAS = ErrorKind(-38015, "block gas limit reached")
    SIMULATED_BLOCK_NUMBER = ErrorKind(-38020, "block numbers must be in order")
    SIMULATED_BLOCK_TIME = ErrorKind(-38021, "block timestamps must be in order")
    PRECOMPILE_MOVED_TO_ITSELF = ErrorKind(-38022, "movePrecompileToAddress names the account itself")
    PRECOMPILES_MOVED_TOGETHER = ErrorKind(-38023, "several movePrecompileToAddress name the same account")
    SIMULATED_SENDER = ErrorKind(-38024, "sender not an eoa")
    SIMULATED_INIT_CODE = ErrorKind(-38025, "max initcode size exceeded")
    SIMULATION_TOO_LARGE = ErrorKind(-38026, "too many blocks")
    SIMULATED_HALT = ErrorKind(-32015, "execution failed")

    @property
    def code(self) -> int:
        """The number that goes on the wire."""
        return self.value.code

    @property
    def text(self) -> str:
        """The default message, a format string where it has braces."""
        return self.value.text


REASONS: Final[dict[Reason, Errors]] = dict.fromkeys(Reason, Errors.SERVER)
"""How each refusal of the core is answered: geth answers all of them with -32000 and its own words."""


SIMULATION_REASONS: Final = {
    Reason.NONCE_TOO_LOW: Errors.SIMULATED_NONCE_TOO_LOW,
    Reason.NONCE_TOO_HIGH: Errors.SIMULATED_NONCE_TOO_HIGH,
    Reason.FEE_CAP_BELOW_BASE_FEE: Errors.SIMULATED_BASE_FEE,
    Reason.TIP_ABOVE_FEE_CAP: Errors.INVALID_PARAMS,
    Reason.INTRINSIC_GAS: Errors.SIMULATED_INTRINSIC_GAS,
    Reason.FLOOR_DATA_GAS: Errors.SIMULATED_INTRINSIC_GAS,
    Reason.INSUFFICIENT_FUNDS: Errors.SIMULATED_FUNDS,
    Reason.SENDER_NOT_EOA: Errors.SIMULATED_SENDER,
    Reason.INIT_CODE_TOO_LARGE: Errors.SIMULATED_INIT_CODE,
    Reason.BLOCK_GAS_LIMIT: Errors.SIMULATED_BLOCK_GAS,
    Reason.BLOCK_NUMBER_ORDER: Errors.SIMULATED_BLOCK_NUMBER,
    Reason.BLOCK_TIME_ORDER: Errors.SIMULATED_BLOCK_TIME,
    Reason.TOO_MANY_BLOCKS: Errors.SIMULATION_TOO_LARGE,
    Reason.INVALID_OVERRIDE: Errors.SERVER,
}
"""How ``eth_simulateV1`` answers refusals, which have codes of their own there; any other is an internal error."""


class RpcError(Exception):
    """Ends a request with this code, message and optional ``data`` (JSON value)."""

    def __init__(self, kind: Errors, message: str = "", data: object = None) -> None:
        self.kind = kind
        self.code = kind.code
        self.message = message or kind.text
        self.data = data
        super().__init__(self.message)

    def to_json(self) -> dict[str, object]:
        """The ``error`` member of a response."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def invalid_params(message: str) -> RpcError:
    """-32602 with this text."""
    return RpcError(Errors.INVALID_PARAMS, message)


def too_many_requests(wait_s: float) -> RpcError:
    """-32005: the caller's rate is used up for ``wait_s`` seconds."""
    return RpcError(Errors.LIMIT_EXCEEDED, f"rate limit exceeded: try again in {max(wait_s, 0.1):.1f} s")


def translate(error: SequencerError) -> RpcError:
    """The answer to an error of the node. Its text is the node's own and safe to show, except where it tells
    of the inside of the node."""
    if isinstance(error, Rejected):
        return RpcError(REASONS[error.reason], str(error))
    if isinstance(error, DeadlineExceeded):
        return RpcError(Errors.TIMEOUT)
    if isinstance(error, Temporary):
        return RpcError(Errors.SERVER, str(error))
    return RpcError(Errors.INTERNAL)
