"""Whether this node may lead: guard, log, block store and DA must agree on what the key has signed.

Runs before anything is signed (protocol, section 2). The log may be ahead of the guard, or the guard of the log,
by the one append that a crash interrupted; everything else means that one of them was lost, replaced by an older
copy, or is used by another node, and the node refuses to lead, saying which.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from da.batcher import BatchTip
from sequencer.core.entries import BatchClosed, BlockOpen, BlockSeal, FlashblockEntry
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import Flashblock
from sequencer.core.ports import SequenceLog
from sequencer.log_repair import LogRepair
from sequencer.preconf.guard import GuardRefused, LogRolledBack, SignedPlace, Trail
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.metrics import PreconfMetrics
from sequencer.preconf.signing import GuardedSigner
from sequencer.storage.blocks import BlockStore

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _LogHistory:
    """What the log shows of the key's past."""

    trail: Trail
    batches: int
    last_block: int | None
    """The newest block that is sealed in it, or that an open one stands on; None if it holds neither."""


class Candidacy:
    """One start of one chain. ``run`` before recovery signs anything, ``check_batches`` after it."""

    def __init__(
        self,
        *,
        file: GuardFile,
        signer: GuardedSigner,
        sequence_log: SequenceLog,
        store: BlockStore,
        published: Callable[[], Awaitable[bool]],
        repair: LogRepair,
        metrics: PreconfMetrics,
    ) -> None:
        self._file = file
        self._signer = signer
        self._log = sequence_log
        self._store = store
        self._published = published
        self._repair = repair
        self._metrics = metrics

    async def run(self) -> None:
        """Open the guard and raise its watermark to the log's end. Raises ``GuardRefused``."""
        try:
            await self._compare()
        except LogRolledBack as rolled_back:
            refusal = LogRolledBack(f"{rolled_back}. {await self._put_back()}")
            self._alarm(refusal)
            raise refusal from None
        except GuardRefused as refusal:
            self._alarm(refusal)
            raise

    def _alarm(self, refusal: GuardRefused) -> None:
        self._metrics.guard_refusals.inc()
        log.critical("guard.refused", path=str(self._file.path), reason=str(refusal))

    async def _put_back(self) -> str:
        """Fill the log up from the block store where that has everything; says what was done, and what to do."""
        restore = "Restore the log's folder from the newest copy or from another member of the set; keep the guard"
        newest, stored = self._file.state.newest, self._newest_stored()
        if newest is not None and (stored is None or SignedPlace.of(stored).place < newest.place):
            return f"The block store does not reach as far as the signatures. {restore}"
        try:
            count = await self._repair.run()
        except Fatal as error:
            return f"It cannot be filled up from the block store: {error}. {restore}"
        return (
            f"{count} entries that it lacked were put back from the block store, so that it is whole again. Find out "
            "what took them away, a disk or a restored backup, before you start this node again"
        )

    async def _compare(self) -> None:
        fresh = not await asyncio.to_thread(self._open)
        history = await asyncio.to_thread(self._read_log)
        if fresh:
            await self._check_no_past(history)
            await asyncio.to_thread(self._file.create)
        self._check_store()
        self._check_log(history)
        state = history.trail.verdict()
        before = self._file.state.newest
        if state.newest != before:
            log.info("guard.resumed", newest=str(state.newest), before=str(before))
        await asyncio.to_thread(self._signer.resume, state, history.trail.on_chain)

    def _open(self) -> bool:
        if not self._file.exists:
            return False
        self._file.open()
        return True

    def _read_log(self) -> _LogHistory:
        """Two reads of the log a start: this one must be over before the first signature, replay needs the other."""
        head = self._store.head()
        trail = Trail(self._file.state, resign_above=head.number if head is not None else 0)
        batches, last_block = 0, None
        for _, entry in self._log.read(self._log.first_position):
            if isinstance(entry, FlashblockEntry):
                trail.feed(entry.flashblock)
            elif isinstance(entry, BatchClosed):
                batches += 1
            elif isinstance(entry, BlockOpen):
                last_block = entry.attributes.number - 1
            elif isinstance(entry, BlockSeal):
                last_block = entry.number
        if trail.empty and (stored := self._newest_stored()) is not None:
            trail.feed(stored)  # of a log that was shortened to where it holds no flashblock
        return _LogHistory(trail, batches, last_block)

    async def _check_no_past(self, history: _LogHistory) -> None:
        """A missing guard is made anew only for a key that has never signed on this chain."""
        local = not history.trail.empty or history.batches > 0
        if local or await self._published():
            where = "in the log or the block store" if local else "on DA"
            raise GuardRefused(
                f"the guard {self._file.path} is missing, although the key has signed on this chain: its signatures "
                f"are {where}. Without it nobody can tell what else it signed. Put the guard back, or import its "
                "newest export: sequencer guard import FILE"
            )

    def _check_log(self, history: _LogHistory) -> None:
        """Blocks reach the store only after the log: whatever the store has, the log has or had."""
        head = self._store.head()
        last = 0 if history.last_block is None and self._log.first_position == 0 else history.last_block
        if head is not None and last is not None and head.number > last:
            raise LogRolledBack(
                f"the sequence log was rolled back: it ends with block {last}, but the block store holds block "
                f"{head.number}. This node refuses to lead, because it would decide those blocks a second time"
            )

    def _check_store(self) -> None:
        """Whatever the block store holds was signed: the guard must know of it."""
        head, newest = self._store.head(), self._file.state.newest
        stored = self._newest_stored()
        if head is None or stored is None:
            return
        found = SignedPlace.of(stored)
        if newest is None or found.place > newest.place:
            raise GuardRefused(
                f"the guard {self._file.path} is older than the block store: it knows signatures up to {newest}, and "
                f"the store holds {found}. An older copy of the guard was restored; put the newest one back, or import "
                "the newest export: sequencer guard import FILE"
            )
        there = {signed.flashblock.index: signed.flashblock for signed in self._store.flashblocks(newest.block_number)}
        other = there.get(newest.index)
        if other is not None and other.reset == newest.reset and other.struct_hash != newest.struct_hash:
            raise GuardRefused(
                f"the block store holds {SignedPlace.of(other)} where the key has signed {newest}: it is not the store "
                "that this key's promises were made from. Do not lead with it; restore the right data directory"
            )

    def _newest_stored(self) -> Flashblock | None:
        """Binary search by the running count of transactions: a chain may have been idle for a million blocks."""
        head = self._store.head()
        total = self._store.transactions_up_to(head.number) if head is not None else 0
        if head is None or total == 0:
            return None
        low, high = 1, head.number
        while low < high:
            middle = (low + high) // 2
            if self._store.transactions_up_to(middle) == total:
                high = middle
            else:
                low = middle + 1
        flashblocks = self._store.flashblocks(low)
        return flashblocks[-1].flashblock if flashblocks else None

    def check_batches(self, tip: BatchTip) -> None:
        """The newest batch that the key signed is the one that log and outbox know. Raises ``GuardRefused``."""
        newest = self._signer.newest_batch
        if newest is None or newest.sequence < tip.sequence:
            return
        if (newest.sequence, newest.struct_hash) != (tip.sequence, tip.header_hash):
            raise GuardRefused(
                f"log and outbox were rolled back: they end with batch {tip.sequence}, but the key has signed batch "
                f"{newest.sequence} (0x{newest.struct_hash.hex()}). This node refuses to lead, because it would make "
                "another batch of that sequence. Restore the newest copy of the data directory; keep the guard"
            )
