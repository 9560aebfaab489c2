"""Sealed blocks by number, hash and transaction.

A block is visible from the moment its head row is written, which comes last; rows above the head are what
a crash left behind, count for nothing, and are overwritten. Index rows of such leftovers may point to a
place where another transaction stands, so what an index says is compared with the block.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Final

from sequencer.core.block import Block, BlockRef, Header, decode_header
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.ports import Storage
from sequencer.core.types import Hash32
from sequencer.core.views import Inclusion
from sequencer.storage import table
from sequencer.storage.block_rows import BlockRows, block_rows, index_rows
from sequencer.storage.cache import LruCache
from sequencer.storage.rows import Packed, StoredBlock, decode_flashblocks, flashblocks_row

INDEX_CHUNK: Final = 256
"""Index rows in one write: the event loop waits for a write, but not for all of them."""
HEADERS_CACHED: Final = 4096
BLOCKS_CACHED_BYTES: Final = 64 << 20
WHOLE_BLOCKS_CACHED: Final = 8
_BY_NUMBER: Final = (table.HEADER, table.BODY, table.RECEIPTS, table.FLASHBLOCKS, table.TRANSACTIONS_UP_TO)


class BlockStore:
    """The sealed blocks of one chain. One writer at a time; readers from any thread."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._headers: LruCache[int, Header] = LruCache(HEADERS_CACHED)
        self._stored: LruCache[int, StoredBlock] = LruCache(BLOCKS_CACHED_BYTES)
        self._blocks: LruCache[int, Block] = LruCache(WHOLE_BLOCKS_CACHED)
        self._head: BlockRef | None = None
        self._head_known = False

    # ------------------------------------------------------------------------------------------ writing

    async def put(
        self,
        block: Block,
        flashblocks: Sequence[SignedFlashblock],
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Store the block after the head, and make it the head. May be tried again after ``Temporary``.

        The rows are written in portions of at most ``INDEX_CHUNK`` transactions, with a ``pause`` between two, in which
        the event loop has at least one turn for others.
        Raises ``Fatal`` if the block does not follow the head.
        """
        header = block.header
        pause = pause or _turn
        self._check_follows(header)
        number = header.number
        rows = await asyncio.to_thread(block_rows, block)
        body, receipts = rows.body, rows.receipts
        self._storage.write({table.by_number(table.BODY, number): body})
        await pause()
        self._storage.write(
            {
                table.by_number(table.HEADER, number): header.encoded,
                table.by_number(table.RECEIPTS, number): receipts,
                table.by_number(table.FLASHBLOCKS, number): flashblocks_row(flashblocks),
                table.by_number(table.TRANSACTIONS_UP_TO, number): table.u64(
                    self.transactions_up_to(number - 1) + len(block.transactions)
                ),
                table.by_hash(table.NUMBER_OF_HASH, header.hash): table.u64(number),
            }
        )
        await self._write_index(rows, pause)
        self._storage.write({table.HEAD: table.u64(number) + header.hash})
        stored = StoredBlock(header, Packed(body), Packed(receipts))
        self._headers.put(number, header)
        self._stored.put(number, stored, stored.size_bytes)
        self._blocks.put(number, block)
        self._head, self._head_known = header.ref, True

    async def _write_index(self, rows: BlockRows, pause: Callable[[], Awaitable[None]]) -> None:
        for start in count(0, INDEX_CHUNK):
            await pause()
            chunk = rows.index(start, INDEX_CHUNK)
            if not chunk:
                return
            self._storage.write(chunk)

    def _check_follows(self, header: Header) -> None:
        head = self.head()
        if head is not None and (header.number, header.parent_hash) != (head.number + 1, head.hash):
            raise Fatal(
                f"block {header.number} on 0x{header.parent_hash.hex()} does not follow the stored head "
                f"{head.number} 0x{head.hash.hex()}"
            )

    def unwind(self, to: int) -> list[Block]:
        """Remove the blocks above ``to``, each atomically, and return them newest first.

        Not while other threads read: what they were about to cache would be of a removed block.
        """
        removed: list[Block] = []
        head = self.head()
        while head is not None and head.number > to:
            block, parent = self.block(head.number), self.header(head.number - 1)
            if block is None or parent is None:
                raise Fatal(f"the block store lacks block {head.number} or its parent: it must be rebuilt from the log")
            self._remove(block, parent.ref)
            removed.append(block)
            head = parent.ref
        return removed

    def _remove(self, block: Block, parent: BlockRef) -> None:
        number = block.header.number
        rows = [table.by_number(kind, number) for kind in _BY_NUMBER]
        rows.append(table.by_hash(table.NUMBER_OF_HASH, block.header.hash))
        rows.extend(index_rows(block))
        self._storage.write({table.HEAD: table.u64(parent.number) + parent.hash}, rows)
        self._headers.drop(number)
        self._stored.drop(number)
        self._blocks.drop(number)
        self._head = parent

    # ------------------------------------------------------------------------------------------ reading

    def head(self) -> BlockRef | None:
        """The newest block, None in an empty store."""
        if not self._head_known:
            row = self._storage.get(table.HEAD)
            self._head = BlockRef(int.from_bytes(row[:8], "big"), Hash32(row[8:])) if row is not None else None
            self._head_known = True
        return self._head

    def header(self, number: int) -> Header | None:
        """The header of a block."""
        if not self._holds(number):
            return None
        header = self._headers.get(number)
        if header is None:
            row = self._storage.get(table.by_number(table.HEADER, number))
            if row is None:
                return None
            header = decode_header(row)
            self._headers.put(number, header)
        return header

    def block_number(self, block_hash: Hash32) -> int | None:
        """The number of the block with this hash."""
        row = self._storage.get(table.by_hash(table.NUMBER_OF_HASH, block_hash))
        if row is None:
            return None
        number = int.from_bytes(row, "big")
        header = self.header(number)
        return number if header is not None and header.hash == block_hash else None

    def stored(self, number: int) -> StoredBlock | None:
        """A block as its rows: the cheapest way to single transactions of it."""
        header = self.header(number)
        if header is None:
            return None
        stored = self._stored.get(number)
        if stored is None:
            body = self._storage.get(table.by_number(table.BODY, number))
            receipts = self._storage.get(table.by_number(table.RECEIPTS, number))
            if body is None or receipts is None:
                return None
            stored = StoredBlock(header, Packed(body), Packed(receipts))
            self._stored.put(number, stored, stored.size_bytes)
        return stored

    def block(self, number: int) -> Block | None:
        """A whole block, whose parts decode themselves as they are used."""
        if not self._holds(number):
            return None
        block = self._blocks.get(number)
        if block is None:
            stored = self.stored(number)
            if stored is None:
                return None
            block = stored.block()
            self._blocks.put(number, block)
        return block

    def inclusion(self, transaction_hash: Hash32) -> Inclusion | None:
        """Where a sealed transaction stands and what it did; reads nothing of the block's other transactions."""
        row = self._storage.get(table.by_hash(table.PLACE_OF_TRANSACTION, transaction_hash))
        if row is None:
            return None
        stored = self.stored(int.from_bytes(row[:8], "big"))
        position = int.from_bytes(row[8:], "big")
        if stored is None or position >= len(stored) or stored.transaction_hash(position) != transaction_hash:
            return None
        outcome = stored.outcome(position)
        return Inclusion(stored.header, position, outcome.first_log_index, stored.transaction(position), outcome)

    def flashblocks(self, number: int) -> tuple[SignedFlashblock, ...]:
        """The signed flashblocks of a block, in order; none for a block without transactions."""
        if not self._holds(number):
            return ()
        return decode_flashblocks(self._storage.get(table.by_number(table.FLASHBLOCKS, number)) or b"")

    def transactions_up_to(self, number: int) -> int:
        """How many transactions the blocks up to ``number`` have together; 0 for a block that is not there."""
        row = self._storage.get(table.by_number(table.TRANSACTIONS_UP_TO, number)) if number >= 0 else None
        return int.from_bytes(row or b"", "big")

    def _holds(self, number: int) -> bool:
        head = self.head()
        return head is not None and 0 <= number <= head.number


async def _turn() -> None:
    await asyncio.sleep(0)
