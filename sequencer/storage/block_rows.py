"""The rows that grow with a block's transactions: in Rust where the native engine executed it, else in Python.

Both give the same rows. Python needs a microsecond a transaction for them, in which nothing else runs; Rust a tenth
of that, and without Python's lock.
"""

from itertools import islice
from typing import Protocol

from sequencer.core.block import Block
from sequencer.core.native_extension import native_extension
from sequencer.storage import table
from sequencer.storage.postings import postings
from sequencer.storage.rows import body_row, receipts_row

_native = native_extension()


class BlockRows(Protocol):
    """Body and receipts of a block (``rows``), and its index rows."""

    @property
    def body(self) -> bytes: ...
    @property
    def receipts(self) -> bytes: ...
    def index(self, start: int, count: int) -> dict[bytes, bytes]:
        """At most ``count`` index rows from ``start`` on; none behind the last one. All of them are in the order of
        their keys, in which the store takes them for half of what they cost in any other."""
        ...


class PythonBlockRows:
    """The rows of any block."""

    def __init__(self, block: Block) -> None:
        self.body = body_row(block.transactions)
        self.receipts = receipts_row(block.outcomes)
        self._index = dict(sorted(index_rows(block).items()))

    def index(self, start: int, count: int) -> dict[bytes, bytes]:
        return dict(islice(self._index.items(), start, start + count))


def block_rows(block: Block) -> BlockRows:
    """The rows of ``block``. Blocking, for about a millisecond where the engine is native."""
    if _native is not None:
        try:
            rows: BlockRows = _native.BlockRows(block.header.number, block.transactions, block.outcomes)
        except TypeError:  # not the native engine's own objects
            pass
        else:
            return rows
    return PythonBlockRows(block)


def index_rows(block: Block) -> dict[bytes, bytes]:
    """Where the block's transactions and logs are."""
    number = table.u64(block.header.number)
    rows = {
        table.by_hash(table.PLACE_OF_TRANSACTION, transaction.hash): number + position.to_bytes(4, "big")
        for position, transaction in enumerate(block.transactions)
    }
    rows.update(postings(block.header.number, block.outcomes))
    return rows
