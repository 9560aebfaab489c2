"""What grows with the transactions of a body: in Rust where the native engine is built, else in Python.

Both give the same bytes and read the same bytes; ``transaction_columns`` and ``body`` draw the formats. Rust works
without Python's lock and at a low priority: a batch closes beside users who wait for their promises, and Python gives
its lock away only every few milliseconds.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from types import ModuleType
from typing import Any, Protocol

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


class Gathered(Protocol):
    """The transactions of flashblocks that follow one another, with their arrivals, as a body has them."""

    def write(self, out: ColumnWriter) -> None:
        """Append ``uint size || section || arrivals``."""
        ...

    def holds(self, reader: ColumnReader) -> bool:
        """Whether what comes next reads as exactly these. May raise ``Malformed`` where it does not."""
        ...

    def order_roots(self, firsts: Sequence[int]) -> list[Hash32]:
        """The order root of each flashblock, given the position of its first transaction."""
        ...


def gather(flashblocks: Iterable[tuple[Sequence[bytes], Sequence[ArrivalRecord]]]) -> Gathered:
    """From the transactions and arrivals of each flashblock. Touches each transaction once, and in Rust nothing that
    follows touches Python's objects again."""
    if _native is None:
        return _GatheredInPython(flashblocks)
    gathered = _native.BatchTransactions()
    for transactions, arrivals in flashblocks:
        gathered.add(transactions, arrivals)
    return _GatheredInRust(gathered)


class _GatheredInPython:
    def __init__(self, flashblocks: Iterable[tuple[Sequence[bytes], Sequence[ArrivalRecord]]]) -> None:
        self._raws: list[bytes] = []
        self._arrivals: list[ArrivalRecord] = []
        self._counts: list[int] = []
        for transactions, arrivals in flashblocks:
            self._raws += transactions
            self._arrivals += arrivals
            self._counts.append(len(transactions))

    def write(self, out: ColumnWriter) -> None:
        section = transaction_columns.encode(self._raws)
        out.uint(len(section))
        out.fixed((section,))
        out.deltas(arrival.sequence for arrival in self._arrivals)
        out.uints(arrival.age_ms for arrival in self._arrivals)
        out.fixed((bytes(arrival.origin for arrival in self._arrivals),))

    def holds(self, reader: ColumnReader) -> bool:
        section = reader.section(limits.MAX_BODY_BYTES)
        return (
            transaction_columns.decode(section, len(self._raws)) == self._raws
            and read_arrivals(reader, len(self._arrivals)) == self._arrivals
        )

    def order_roots(self, firsts: Sequence[int]) -> list[Hash32]:
        rest = iter(self._raws)
        return [
            merkle.root(order_leaves(first, [keccak256(raw) for raw in islice(rest, count)]))
            for first, count in zip(firsts, self._counts, strict=True)
        ]


class _GatheredInRust:
    def __init__(self, gathered: Any) -> None:
        self._gathered = gathered

    def write(self, out: ColumnWriter) -> None:
        out.fixed((self._gathered.encode(),))

    def holds(self, reader: ColumnReader) -> bool:
        return reader.foreign(self._read)

    def order_roots(self, firsts: Sequence[int]) -> list[Hash32]:
        roots: list[Hash32] = self._gathered.order_roots(firsts)
        return roots

    def _read(self, data: bytes, at: int) -> tuple[bool, int]:
        end: int | None = self._gathered.holds(data, at, limits.MAX_BLOCK_BYTES, limits.MAX_BODY_BYTES)
        return (False, at) if end is None else (True, end)


def decode(section: bytes, count: int) -> list[bytes]:
    """The ``count`` transactions of a section. Raises ``Malformed``, and nothing else, whatever the bytes."""
    if _native is None:
        return transaction_columns.decode(section, count)
    try:
        raws: list[bytes] = _native.decode_transactions(section, count, limits.MAX_BLOCK_BYTES, limits.MAX_BODY_BYTES)
    except _native.Refused as error:
        raise Malformed(f"body: {error.args[1]}") from None
    return raws


def body_hash(body: bytes) -> Hash32:
    """Keccak-256 of a whole body: its ``dataHash``."""
    if _native is None:
        return keccak256(body)
    digest: Hash32 = _native.body_hash(body)
    return digest


def read_arrivals(reader: ColumnReader, count: int) -> list[ArrivalRecord]:
    """Read the columns of ``count`` arrivals. Raises ``Malformed``."""
    if _native is not None:
        return reader.foreign(partial(_native_arrivals, _native, count))
    sequences = reader.deltas(count, 64)
    ages = reader.uints(count, 64)
    (origins,) = reader.fixed(1, count) if count else (b"",)
    return list(map(ArrivalRecord, sequences, ages, origins))


def _native_arrivals(native: ModuleType, count: int, data: bytes, at: int) -> tuple[list[ArrivalRecord], int]:
    try:
        arrivals, end = native.decode_arrivals(data, at, count)
    except native.Refused as error:
        raise Malformed(f"body: {error.args[1]}") from None
    return list(map(ArrivalRecord._make, arrivals)), end
