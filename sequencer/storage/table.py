"""Every key of the store, in one place.

::

    0x01 name                           -> meta rows (see meta.py)
    0x02                                -> head: number u64 || hash(32); the commit of a block
    0x10 number u64                     -> header, RLP
    0x11 number u64                     -> body     (see rows.py)
    0x12 number u64                     -> receipts (see rows.py)
    0x13 number u64                     -> signed flashblocks (see rows.py)
    0x14 number u64                     -> transactions in blocks up to this one, u64
    0x20 block hash(32)                 -> number u64
    0x21 transaction hash(32)           -> number u64 || position u32
    0x22 kind(1) tail(8) number u64     -> positions u32 ... of transactions whose logs have it (see logs.py)
    0x80 key                            -> the DA outbox, through ``PrefixedStorage``

Numbers are big-endian, so that key order is their order.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sequencer.core.ports import Storage
from sequencer.core.types import Hash32

META: Final = b"\x01"
HEAD: Final = b"\x02"
HEADER: Final = b"\x10"
BODY: Final = b"\x11"
RECEIPTS: Final = b"\x12"
FLASHBLOCKS: Final = b"\x13"
TRANSACTIONS_UP_TO: Final = b"\x14"
NUMBER_OF_HASH: Final = b"\x20"
PLACE_OF_TRANSACTION: Final = b"\x21"
LOG_POSTINGS: Final = b"\x22"
DA_OUTBOX: Final = b"\x80"
L1_JOURNAL: Final = b"\x81"


def u64(value: int) -> bytes:
    """Eight bytes, big-endian."""
    return value.to_bytes(8, "big")


def by_number(table: bytes, number: int) -> bytes:
    """The key of block ``number`` in a table."""
    return table + number.to_bytes(8, "big")


def by_hash(table: bytes, key: Hash32) -> bytes:
    """The key of a hash in a table."""
    return table + key


class PrefixedStorage:
    """Another part's own corner of a storage: every key gets ``prefix`` in front. It does not own the storage."""

    def __init__(self, storage: Storage, prefix: bytes) -> None:
        self._storage = storage
        self._prefix = prefix

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        return self._storage.get(self._prefix + key)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < stop`` in key order, or from the end."""
        size = len(self._prefix)
        rows = self._storage.scan(self._prefix + start, self._prefix + stop, reverse=reverse)
        return ((key[size:], value) for key, value in rows)

    def write(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        """Deletes first, then puts; all or nothing."""
        self._storage.write(
            {self._prefix + key: value for key, value in puts.items()}, [self._prefix + key for key in deletes]
        )

    def flush(self) -> None:
        """Make everything of the whole storage durable."""
        self._storage.flush()

    def close(self) -> None:
        """The storage below belongs to someone else, who closes it."""
