"""What grows with the transactions of a body: in Rust where the native engine is built, else in Python.

Both give the same bytes and read the same bytes; ``transaction_columns`` and ``body`` draw the formats. Rust works
without Python's lock and at a low priority: a batch closes beside users who wait for their promises, and Python gives
its lock away only every few milliseconds.
"""

from collections.abc import Sequence
from functools import partial
from types import ModuleType

from da import limits, transaction_columns
from da.columns import ColumnReader, ColumnWriter
from sequencer.core import merkle
from sequencer.core.entries import ArrivalRecord
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import order_leaves
from sequencer.core.keccak import keccak256
from sequencer.core.native_extension import native_extension
from sequencer.core.types import Hash32

_native = native_extension()


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


def holds(section: bytes, raws: Sequence[bytes]) -> bool:
    """Whether ``decode`` gives exactly ``raws``. May raise ``Malformed`` where it does not."""
    if _native is None:
        return transaction_columns.decode(section, len(raws)) == raws
    same: bool = _native.holds_transactions(section, raws, limits.MAX_BLOCK_BYTES, limits.MAX_BODY_BYTES)
    return same


def order_roots(flashblocks: Sequence[tuple[int, int]], raws: Sequence[bytes]) -> list[Hash32]:
    """The order root of each flashblock, given its first position and its count; ``raws`` are those of all."""
    if _native is not None:
        roots: list[Hash32] = _native.order_roots(flashblocks, raws)
        return roots
    found, taken = [], 0
    for first, count in flashblocks:
        own = raws[taken : taken + count]
        found.append(merkle.root(order_leaves(first, [keccak256(raw) for raw in own])))
        taken += count
    return found


def body_hash(body: bytes) -> Hash32:
    """Keccak-256 of a whole body: its ``dataHash``."""
    if _native is None:
        return keccak256(body)
    digest: Hash32 = _native.body_hash(body)
    return digest


def write_arrivals(out: ColumnWriter, arrivals: Sequence[ArrivalRecord]) -> None:
    """Append the columns of ``arrivals``."""
    if _native is not None:
        out.fixed((_native.encode_arrivals(arrivals),))
        return
    out.deltas(arrival.sequence for arrival in arrivals)
    out.uints(arrival.age_ms for arrival in arrivals)
    out.fixed((bytes(arrival.origin for arrival in arrivals),))


def read_arrivals(reader: ColumnReader, count: int) -> list[ArrivalRecord]:
    """Read the columns of ``count`` arrivals. Raises ``Malformed``."""
    if _native is not None:
        return reader.foreign(partial(_native_arrivals, _native, count))
    sequences = reader.deltas(count, 64)
    ages = reader.uints(count, 64)
    (origins,) = reader.fixed(1, count) if count else (b"",)
    return list(map(ArrivalRecord, sequences, ages, origins))


def holds_arrivals(reader: ColumnReader, arrivals: Sequence[ArrivalRecord]) -> bool:
    """Whether ``read_arrivals`` gives exactly ``arrivals``. Raises ``Malformed`` or reads nothing where it does not."""
    if _native is None:
        return read_arrivals(reader, len(arrivals)) == arrivals
    same: bool = reader.foreign(partial(_native_holds_arrivals, _native, arrivals))
    return same


def _native_arrivals(native: ModuleType, count: int, data: bytes, at: int) -> tuple[list[ArrivalRecord], int]:
    try:
        arrivals, end = native.decode_arrivals(data, at, count)
    except native.Refused as error:
        raise Malformed(f"body: {error.args[1]}") from None
    return list(map(ArrivalRecord._make, arrivals)), end


def _native_holds_arrivals(
    native: ModuleType, arrivals: Sequence[ArrivalRecord], data: bytes, at: int
) -> tuple[bool, int]:
    end: int | None = native.holds_arrivals(data, at, arrivals)
    return (False, at) if end is None else (True, end)
