"""Makes decisions durable, and only then promises them (architecture D1, protocol section 1).

The order of duties never varies: append to the log and record in the guard, wait until both are durable (their
syncs overlap), sign, publish. Entries that queue up while an append is under way go into the next one together
and share its sync.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from sequencer.core.block import Block, PayloadAttributes
from sequencer.core.entries import BlockOpen, BlockSeal, Entry
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.ports import Appended, SequenceLog
from sequencer.preconf.guard import FLASHBLOCKS_PER_APPEND, GuardRefused
from sequencer.preconf.metrics import PreconfMetrics
from sequencer.preconf.signing import GuardedSigner

log = structlog.get_logger(__name__)

RETRY_S = 0.25
"""Pause before an append that found no space is tried again."""


@dataclass(frozen=True, slots=True)
class LoggedSeal:
    """A sealed block whose seal is durable at ``position``."""

    block: Block
    position: int


@dataclass(frozen=True, slots=True)
class _Record:
    """An entry that is nobody's promise, and who waits for it to be durable."""

    entry: Entry
    durable: asyncio.Future[None]


_Step: TypeAlias = PayloadAttributes | ClosedFlashblock | Block | _Record


class PromiseService:
    """The stage between the builder and everyone who waits for promises. Holds one block's steps at most."""

    def __init__(
        self,
        *,
        sequence_log: SequenceLog,
        fence: int,
        signer: GuardedSigner,
        signing_thread: Executor,
        on_opened: Callable[[PayloadAttributes], None],
        on_preconfirmed: Callable[[SignedFlashblock, ClosedFlashblock], Awaitable[None]],
        on_sealed: Callable[[LoggedSeal], Awaitable[None]],
        on_stalled: Callable[[bool], None],
        metrics: PreconfMetrics,
        clock_ms: Callable[[], int],
    ) -> None:
        self._log = sequence_log
        self._fence = fence
        self._signer = signer
        self._signing_thread = signing_thread
        self._on_opened = on_opened
        self._on_preconfirmed = on_preconfirmed
        self._on_sealed = on_sealed
        self._on_stalled = on_stalled
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._steps: deque[_Step] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def idle(self) -> bool:
        """Everything handed in is durable, signed and published."""
        return self._idle.is_set()

    async def wait_idle(self) -> None:
        """Until ``idle``."""
        await self._idle.wait()

    async def opened(self, attributes: PayloadAttributes) -> None:
        """A block begins. Its entry waits for the first flashblock or the seal, to share their sync."""
        self._steps.append(attributes)
        self._on_opened(attributes)

    async def closed(self, flashblock: ClosedFlashblock) -> None:
        """A flashblock to promise."""
        self._hand_in(flashblock)

    async def sealed(self, block: Block) -> None:
        """A block is complete. Waits while the block before it is still on its way, which bounds the queue."""
        while any(isinstance(step, Block) for step in self._steps):
            await self._idle.wait()
        self._hand_in(block)

    async def record(self, entry: Entry) -> None:
        """Append ``entry`` in its turn; durable when this returns."""
        step = _Record(entry, asyncio.get_running_loop().create_future())
        self._hand_in(step)
        await step.durable

    def _hand_in(self, step: _Step) -> None:
        self._steps.append(step)
        self._idle.clear()
        self._work.set()

    async def run(self) -> None:
        """Serve for ever. Raises ``Fatal`` when the log can no longer be trusted or led, or the guard refuses."""
        try:
            await self._serve()
        except GuardRefused as refusal:
            self._metrics.guard_refusals.inc()
            log.critical("guard.refused", reason=str(refusal))
            raise

    async def _serve(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while not self._idle.is_set():
                await self._promise(self._next_steps())
                if all(isinstance(step, PayloadAttributes) for step in self._steps):
                    self._idle.set()

    def _next_steps(self) -> list[_Step]:
        """Everything that waits, but no more flashblocks than log and guard may be apart after a crash."""
        steps: list[_Step] = []
        room = FLASHBLOCKS_PER_APPEND
        while self._steps:
            room -= isinstance(self._steps[0], ClosedFlashblock)
            if room < 0:
                break
            steps.append(self._steps.popleft())
        return steps

    async def _promise(self, steps: Sequence[_Step]) -> None:
        flashblocks = [step.entry.flashblock for step in steps if isinstance(step, ClosedFlashblock)]
        self._signer.check(flashblocks)  # before the log has them, which forgets nothing
        entries = [_entry(step) for step in steps]
        first, _ = await asyncio.gather(self._append(entries), self._record(flashblocks))
        signed = iter(await self._sign(flashblocks))
        for position, step in enumerate(steps, first):
            if isinstance(step, ClosedFlashblock):
                await self._publish(next(signed), step)
            elif isinstance(step, Block):
                await self._on_sealed(LoggedSeal(step, position))
            elif isinstance(step, _Record) and not step.durable.cancelled():
                step.durable.set_result(None)

    async def _append(self, entries: Sequence[Entry]) -> int:
        """Durable when this returns; the position of the first."""
        first = self._log.next_position
        stalled = False
        while True:
            started = time.perf_counter()
            try:
                result = await self._log.append(entries, first, self._fence)
            except Temporary as error:
                if not stalled:
                    log.warning("sequence log is full; promising nothing until there is space", error=str(error))
                stalled = True
                self._stalled(now=True)
                await asyncio.sleep(RETRY_S)
                continue
            if not isinstance(result, Appended):
                raise Fatal(f"the log did not take entries at position {first}: {result.reason}")
            self._metrics.append_seconds.observe(time.perf_counter() - started)
            if stalled:
                log.info("sequence log takes entries again")
                self._stalled(now=False)
            return first

    def _stalled(self, *, now: bool) -> None:
        self._metrics.stalled.set(now)
        self._on_stalled(now)

    async def _record(self, flashblocks: Sequence[Flashblock]) -> None:
        """Durable in the guard when this returns."""
        if not flashblocks:
            return
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._signing_thread, self._signer.prepare, flashblocks)
        self._metrics.guard_seconds.observe(time.perf_counter() - started)

    async def _sign(self, flashblocks: Sequence[Flashblock]) -> list[SignedFlashblock]:
        if not flashblocks:
            return []
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._signing_thread, self._timed_sign, flashblocks)

    def _timed_sign(self, flashblocks: Sequence[Flashblock]) -> list[SignedFlashblock]:
        started = time.thread_time()
        signed = self._signer.sign(flashblocks)
        self._metrics.signing_seconds.inc(time.thread_time() - started)
        return signed

    async def _publish(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> None:
        now_ms = self._clock_ms()
        self._metrics.flashblocks.inc()
        self._metrics.promises.inc(len(closed.taken))
        for pooled in closed.taken:
            self._metrics.latency_seconds.observe(max(now_ms - pooled.arrival.received_ms, 0) / 1000)
        await self._on_preconfirmed(signed, closed)


def _entry(step: _Step) -> Entry:
    if isinstance(step, PayloadAttributes):
        return BlockOpen(step)
    if isinstance(step, ClosedFlashblock | _Record):
        return step.entry
    return BlockSeal(step.header.number, step.header.hash, step.header.state_root)
