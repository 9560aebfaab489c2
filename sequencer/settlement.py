"""What happens to a block once its seal is durable: store it, commit its state, tell everyone, batch it.

The write order is the one that a crash can be repaired from at every step (architecture D7): the log has
the block before this stage sees it, then the block store, then the engine's state.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from da.batcher import Batcher
from da.blocks import BatchBlock
from sequencer.channel import Broadcast
from sequencer.core.block import Block, BlockRef
from sequencer.core.errors import Temporary
from sequencer.core.heads import Heads
from sequencer.core.ports import ExecutionEngine
from sequencer.core.types import Hash32
from sequencer.core.views import BlockSealed, ChainEvent, Status
from sequencer.live import LiveBlocks
from sequencer.preconf.service import LoggedSeal
from sequencer.status import StatusBook
from sequencer.storage.blocks import BlockStore

log = structlog.get_logger(__name__)

RETRY_S = 0.5
"""Pause before a write that found no space is tried again."""
LARGE = 1024
"""A block of more transactions is stored at leisure: the builder has first to catch up with what came in while it
sealed the block, and each portion keeps the event loop for a moment, all of 7,500 transactions for 15 ms."""
CATCH_UP_S = 0.05
"""Before the first portion."""
PAUSE_S = 0.003
"""Before each other. They have 256 transactions each, so that blocks of any size are stored faster than they come."""
CAPACITY = 8
"""Sealed blocks that may wait to be stored; when it is full the builder waits."""


class HeadsKeeper:
    """The chain's heads, moved by settlement (unsafe) and by the DA layer (safe, finalized)."""

    def __init__(self, heads: Heads) -> None:
        self.heads = heads

    def sealed(self, block: BlockRef) -> None:
        """A block was stored."""
        self.heads = self.heads.sealed(block)

    def posted(self, block: BlockRef) -> None:
        """Every block up to this one is on DA."""
        self.heads = self.heads.posted(block)

    def final(self, block: BlockRef) -> None:
        """Every block up to this one is final on DA."""
        self.heads = self.heads.final(block)


class Settlement:
    """Stores sealed blocks in order, one at a time."""

    def __init__(
        self,
        *,
        store: BlockStore,
        engine: ExecutionEngine,
        live: LiveBlocks,
        heads: HeadsKeeper,
        events: Broadcast[ChainEvent],
        batcher: Batcher,
        on_stored: Callable[[Block, Sequence[Hash32]], None],
        statuses: StatusBook,
        clock_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._engine = engine
        self._live = live
        self._heads = heads
        self._events = events
        self._batcher = batcher
        self._on_stored = on_stored
        self._statuses = statuses
        self._clock_ms = clock_ms
        self._queue: asyncio.Queue[LoggedSeal] = asyncio.Queue(CAPACITY)
        self.batched = asyncio.Event()
        """Set whenever the batcher got a block."""

    async def take(self, sealed: LoggedSeal) -> None:
        """Hand a block in; waits while the stage is full."""
        await self._queue.put(sealed)

    async def drain(self) -> None:
        """Until everything handed in is stored."""
        await self._queue.join()

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            sealed = await self._queue.get()
            await self._settle(sealed.block)
            self._queue.task_done()

    async def _settle(self, block: Block) -> None:
        number = block.header.number
        signed = self._live.get(number).signed
        if len(block.transactions) > LARGE:
            await self._pause(CATCH_UP_S)
            await self._until_it_fits(lambda: self._store.put(block, signed, partial(self._pause, PAUSE_S)))
        else:
            await self._until_it_fits(lambda: self._store.put(block, signed))
        live = self._live.stored(block)
        self._heads.sealed(block.header.ref)
        self._statuses.blocks.reached(number, Status.SEALED, self._clock_ms())
        self._events.publish(BlockSealed(block))
        self._batcher.add(
            BatchBlock(live.attributes, tuple(live.entries), block.header.hash, block.header.state_root),
            self._clock_ms(),
        )
        self.batched.set()
        self._on_stored(block, [promised for entry in live.entries for promised in entry.outcome_hashes])
        await self._until_it_fits(lambda: asyncio.to_thread(self._engine.commit, number))

    async def _pause(self, seconds: float) -> None:
        """None, but for others' turn, while the next block waits."""
        await asyncio.sleep(0 if self._queue.qsize() else seconds)

    async def _until_it_fits(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write, however long the disk is full: the log has the block, so nothing is lost by waiting."""
        while True:
            try:
                await write()
            except Temporary as error:
                log.warning("a sealed block waits for disk space", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return
