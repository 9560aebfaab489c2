"""What a celestia-node's error means for us. Pure.

A node has one error code for everything that is not a protocol error, so its text is matched. The question for
each is what is known about publication: ``Temporary`` and ``LayerRefused`` say that nothing was published,
``Unknown`` that it may have been. A text that nobody listed is ``Temporary`` for a read, which may be repeated,
and ``Unknown`` for a submission, which may not.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from da.errors import LayerRefused, TooLarge
from sequencer.core.errors import SequencerError, Temporary, Unknown


class BlobNotFound(Temporary):
    """There is no such blob at that height, as far as this node knows."""


class PriceRefused(Temporary):
    """The fee was too low for the node or the network: certainly nothing was published; offer more."""


class Meaning(Enum):
    """What to make of an error; the value is a stable tag for metrics."""

    NOT_FOUND = "not_found"
    BUSY = "busy"
    """Nothing happened; the same may work later."""
    BEHIND = "behind"
    """The node does not have that height yet."""
    PRUNED = "pruned"
    """The node no longer has that height; another one may."""
    UNKNOWN = "unknown"
    """It may have happened."""
    SEQUENCE = "sequence"
    """Another transaction of the account came first: this one was not taken."""
    TOO_LARGE = "too_large"
    PRICE = "price"
    REFUSED = "refused"
    """It will be refused again until somebody changes something."""


_ERRORS: Final[dict[Meaning, type[SequencerError]]] = {
    Meaning.NOT_FOUND: BlobNotFound,
    Meaning.BUSY: Temporary,
    Meaning.BEHIND: Temporary,
    Meaning.PRUNED: Temporary,
    Meaning.UNKNOWN: Unknown,
    Meaning.SEQUENCE: Temporary,
    Meaning.TOO_LARGE: TooLarge,
    Meaning.PRICE: PriceRefused,
    Meaning.REFUSED: LayerRefused,
}

_TEXTS: Final = (
    # Order counts: the first text that is contained decides. Outcomes that are unknown come before anything
    # that a node may wrap around them.
    ("timed out waiting for tx to be included in a block", Meaning.UNKNOWN),
    ("tx already in mempool", Meaning.UNKNOWN),
    ("incorrect account sequence", Meaning.SEQUENCE),
    ("account sequence mismatch", Meaning.SEQUENCE),
    ("blob: not found", Meaning.NOT_FOUND),
    ("blob: invalid proof", Meaning.REFUSED),
    ("blob: proof cannot be nil", Meaning.REFUSED),
    ("given height is from the future", Meaning.BEHIND),
    ("syncing in progress", Meaning.BEHIND),
    ("is below Tail", Meaning.PRUNED),
    ("height is equal to 0", Meaning.REFUSED),
    ("height cannot be equal to 0", Meaning.REFUSED),
    ("blob: over size limit", Meaning.TOO_LARGE),
    ("tx too large", Meaning.TOO_LARGE),
    ("transaction size exceeds maximum allowed limit", Meaning.TOO_LARGE),
    ("estimated gas price exceeds max gas price", Meaning.PRICE),
    ("insufficient fee", Meaning.PRICE),
    ("insufficient funds", Meaning.REFUSED),
    ("no blobs provided", Meaning.REFUSED),
    ("not allowed namespace", Meaning.REFUSED),
    ("invalid user namespace", Meaning.REFUSED),
    ("missing permission to invoke", Meaning.REFUSED),
    ("server busy", Meaning.BUSY),
    ("rate limit exceeded", Meaning.BUSY),
)
_READ_TEXTS: Final = (
    ("share: data not available", Meaning.BUSY),
    ("data not found", Meaning.BUSY),
    ("deadline exceeded", Meaning.BUSY),
)
"""While a submission runs, these may come from the wait after it was sent."""

_PROTOCOL_CODES: Final = (-32700, -32600, -32601, -32602)
"""The request itself was not understood, so nothing was done: our mistake, or a node of another version."""
_REFUSING_STATUS: Final = (400, 401, 403, 404, 405, 413)
_BUSY_STATUS: Final = (429, 503)


@dataclass(frozen=True, slots=True)
class NodeError:
    """An error as it came: JSON-RPC code and text, or an HTTP status without a JSON-RPC answer."""

    text: str
    code: int | None = None
    status: int = 200


def meaning(error: NodeError, *, writes: bool) -> Meaning:
    """What the error says about the call that it answers; ``writes`` for a submission."""
    if error.status in _BUSY_STATUS:
        return Meaning.BUSY
    if error.code in _PROTOCOL_CODES or (error.code is None and error.status in _REFUSING_STATUS):
        return Meaning.REFUSED
    for part, found in _TEXTS:
        if part in error.text:
            return found
    if writes:
        return Meaning.UNKNOWN
    return next((found for part, found in _READ_TEXTS if part in error.text), Meaning.BUSY)


def translated(method: str, error: NodeError, *, writes: bool) -> SequencerError:
    """The error of ours. A read never raises ``Unknown``, since it changes nothing."""
    found = meaning(error, writes=writes)
    if found is Meaning.UNKNOWN and not writes:
        found = Meaning.BUSY
    advice = "; ask a node that keeps older heights" if found is Meaning.PRUNED else ""
    return _ERRORS[found](f"{method}: {error.text[:300]}{advice}")
