"""Closes batches and hands them to the DA service, in the one order that a crash can be repaired from.

Cut, wait until the blocks are verified, append ``BatchClosed`` to the log, sign, write the outbox row. A batch
that the log names is made again exactly after a crash; one that it does not name was never sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import structlog

from da.batcher import Batcher, close
from da.codec import ClosedBatch, SignedBatch
from sequencer.core.batch import BatchHeader
from sequencer.core.block import BlockRef
from sequencer.core.entries import Entry
from sequencer.core.errors import Temporary
from sequencer.core.types import Signature
from sequencer.payload.builder import Term

log = structlog.get_logger(__name__)

BatchSign: TypeAlias = Callable[[BatchHeader], Signature]
"""Signs a header under guard; blocking."""
IN_FLIGHT = 2
"""Batches on their way to the layer beyond which none closes for its age: a slow layer makes batches larger."""
ROOM_POLL_S = 0.25
"""How often a full outbox is asked for room again."""


class Outbox(Protocol):
    """Where signed batches go."""

    @property
    def has_room(self) -> bool: ...
    @property
    def in_flight(self) -> int: ...
    async def enqueue(self, batch: SignedBatch) -> None: ...


class Poster:
    """Watches the batcher's clock and closes what is due."""

    def __init__(
        self,
        *,
        batcher: Batcher,
        term: Term,
        sign: BatchSign,
        verified: Callable[[BlockRef], Awaitable[None]],
        record: Callable[[Entry], Awaitable[None]],
        outbox: Outbox,
        batched: asyncio.Event,
        clock_ms: Callable[[], int],
    ) -> None:
        self._batcher = batcher
        self._term = term
        self._sign = sign
        self._verified = verified
        self._record = record
        self._outbox = outbox
        self._batched = batched
        self._clock_ms = clock_ms
        self._closing = asyncio.Lock()

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            await self._until_due()
            crowded = self._outbox.in_flight >= IN_FLIGHT and not self._batcher.is_full
            if (
                self._outbox.has_room and not crowded
            ):  # what the log decides must be posted: without room decide nothing
                await self._close_batch()
            else:
                await asyncio.sleep(ROOM_POLL_S)

    async def flush(self) -> None:
        """Close whatever waits, due or not."""
        while self._batcher.unposted.blocks and self._outbox.has_room:
            await self._close_batch()

    async def _until_due(self) -> None:
        while (due_ms := self._batcher.next_due_ms()) is None or due_ms > self._clock_ms():
            self._batched.clear()
            try:
                async with asyncio.timeout(None if due_ms is None else (due_ms - self._clock_ms()) / 1000):
                    await self._batched.wait()
            except TimeoutError:
                continue

    async def _close_batch(self) -> None:
        async with self._closing:
            if not self._batcher.unposted.blocks:
                return
            tip, run = self._batcher.tip, self._batcher.next_run()
            await self._verified(run[-1].ref)
            closed = await asyncio.to_thread(close, tip, run, self._term.epoch, self._term.term)
            await self._record(closed.log_entry)
            self._batcher.advance(closed.header)
            await self._hand_over(await asyncio.to_thread(sign_batch, closed, self._sign))

    async def _hand_over(self, batch: SignedBatch) -> None:
        """The log has decided on it: it goes to the outbox, however long the disk is full."""
        while True:
            try:
                await self._outbox.enqueue(batch)
            except Temporary as error:
                log.warning("outbox does not take the batch", sequence=batch.header.sequence, error=str(error))
                await asyncio.sleep(ROOM_POLL_S)
            else:
                return


def sign_batch(closed: ClosedBatch, sign: BatchSign) -> SignedBatch:
    """The batch under this node's signature, with its bytes made. Blocking."""
    batch = closed.signed([sign(closed.header)])
    _ = batch.encoded  # compressed here, off the event loop
    return batch
