"""Puts back what a rolled-back sequence log lacks, from the block store and the outbox (protocol, section 2).

Every block that the store holds was in the log once. Its flashblocks come back bit for bit, so what the key signed
stands again; only what no copy here kept is filled in: arrival times read as unknown (zero), and an empty block
counts to the term of the block before it. Nothing that the log still holds is touched.
"""

import asyncio
from collections.abc import Callable, Iterator

from sequencer.consensus.replay import LogFold
from sequencer.core.block import Header
from sequencer.core.entries import ArrivalRecord, BatchClosed, BlockOpen, BlockSeal, Entry, FlashblockEntry
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.ports import Appended, SequenceLog
from sequencer.core.types import Hash32
from sequencer.core.views import PostedBatch
from sequencer.storage.blocks import BlockStore
from sequencer.storage.rows import StoredBlock


class LogRepair:
    """One repair of one log, while nothing else appends to it."""

    def __init__(
        self, sequence_log: SequenceLog, store: BlockStore, batch: Callable[[int], PostedBatch | None]
    ) -> None:
        self._log = sequence_log
        self._store = store
        self._batch = batch

    async def run(self) -> int:
        """Append what is missing; returns how many entries. Raises ``Fatal`` where log and store do not fit together,
        having appended nothing that does not fit."""
        fold = await asyncio.to_thread(self._fold)
        count = 0
        for entries in self._missing_blocks(fold):
            count += await self._append(entries)
        if closed := list(self._missing_batches(fold)):
            count += await self._append(closed)
        return count

    def _fold(self) -> LogFold:
        fold = LogFold()
        for position, entry in self._log.read(self._log.first_position):
            fold.feed(position, entry)
        return fold

    def _missing_blocks(self, fold: LogFold) -> Iterator[list[Entry]]:
        head, opened, sealed = self._store.head(), fold.open_block, fold.last_seal
        if opened is None and sealed is None and self._log.first_position > 0:
            raise Fatal("what is left of the log does not say which block comes next")
        first = opened.attributes.number if opened is not None else sealed.number + 1 if sealed is not None else 1
        if sealed is not None and (before := self._header(first).parent_hash) != sealed.hash:
            raise Fatal(f"the log seals block {sealed.number} as 0x{sealed.hash.hex()}, the store as 0x{before.hex()}")
        epoch, term, reset = fold.epoch, fold.term, 0
        for number in range(first, head.number + 1 if head is not None else first):
            header, signed = self._header(number), self._store.flashblocks(number)
            logged: list[Hash32] = []
            entries: list[Entry] = []
            if signed:
                struct = signed[-1].flashblock
                epoch, term, reset = struct.epoch, struct.term, struct.reset
            if opened is not None and number == first:
                logged = [entry.flashblock.struct_hash for entry in opened.flashblocks]
                if logged != [item.flashblock.struct_hash for item in signed[: len(logged)]]:
                    raise Fatal(f"the log holds other flashblocks of block {number} than the store")
            else:
                entries.append(BlockOpen(header.attributes(epoch, term, reset)))
            entries += self._flashblocks(number, signed[len(logged) :])
            yield [*entries, BlockSeal(number, header.hash, header.state_root)]

    def _flashblocks(self, number: int, signed: tuple[SignedFlashblock, ...]) -> Iterator[FlashblockEntry]:
        stored = self._store.stored(number)
        if stored is None:
            raise Fatal(f"the block store lacks block {number}")
        for item in signed:
            yield _entry(item, stored)

    def _missing_batches(self, fold: LogFold) -> Iterator[BatchClosed]:
        if not fold.batches:
            return  # the first one that the log names may have any sequence
        sequence = fold.batches[-1].sequence + 1
        while (posted := self._batch(sequence)) is not None:
            yield BatchClosed(sequence, posted.first_block, posted.last_block, posted.data_hash)
            sequence += 1

    def _header(self, number: int) -> Header:
        header = self._store.header(number)
        if header is None:
            raise Fatal(f"the block store lacks block {number}")
        return header

    async def _append(self, entries: list[Entry] | list[BatchClosed]) -> int:
        result = await self._log.append(entries, self._log.next_position, self._log.term)
        if not isinstance(result, Appended):
            raise Fatal(f"the log does not take position {self._log.next_position}: {result.reason}")
        return len(entries)


def _entry(signed: SignedFlashblock, stored: StoredBlock) -> FlashblockEntry:
    first, count = signed.flashblock.first_position, signed.flashblock.transaction_count
    positions = range(first, first + count)
    return FlashblockEntry(
        signed.flashblock,
        tuple(stored.transaction(position).raw for position in positions),
        tuple(stored.outcome(position).outcome_hash for position in positions),
        (ArrivalRecord(0, 0, 0),) * count,
    )
