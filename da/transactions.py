"""The transactions section of a body: in Rust where the native engine is built, else in Python.

Both give the same bytes and read the same bytes; ``transaction_columns`` draws the format.
"""

from collections.abc import Sequence
from typing import Any

from da import limits, transaction_columns
from sequencer.core.errors import Malformed

_native: Any
try:
    import rollup_sequencer_native
except ImportError:
    _native = None
else:
    _native = rollup_sequencer_native


def encode(raws: Sequence[bytes]) -> bytes:
    """The section of ``raws``."""
    if _native is None:
        return transaction_columns.encode(raws)
    section: bytes = _native.encode_transactions(list(raws))
    return section


def decode(section: bytes, count: int) -> list[bytes]:
    """The ``count`` transactions of a section. Raises ``Malformed``, and nothing else, whatever the bytes."""
    if _native is None:
        return transaction_columns.decode(section, count)
    try:
        raws: list[bytes] = _native.decode_transactions(section, count, limits.MAX_BLOCK_BYTES, limits.MAX_BODY_BYTES)
    except _native.Refused as error:
        raise Malformed(f"body: {error.args[1]}") from None
    return raws
