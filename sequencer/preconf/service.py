"""Makes decisions durable, and only then promises them (architecture D1, protocol section 1).

Two stages, so that the builder goes on while promises are published. The first appends, and the thread that knows
first that the log holds the entries durably records them in the guard and signs them there and then: from the sync to
the signature nobody has to be woken. The second publishes, in the same order; between the two is room for
``APPENDS_WAITING`` appends, and when it is full the first stage waits, and the builder for it. The order of duties of
each flashblock never varies: check, append, wait until it is durable, record, sign, publish.

Beside them the guard's file is made durable. Nobody is published later for it: the signer itself syncs what it signed
before ahead of anything more, so at most one append is signed and not yet durable there.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import structlog

from sequencer.core.block import Block, PayloadAttributes
from sequencer.core.entries import BlockOpen, BlockSeal, Entry
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.ports import Appended, SequenceLog
from sequencer.preconf.guard import GuardRefused
from sequencer.preconf.metrics import PreconfMetrics
from sequencer.preconf.signing import GuardedSigner

log = structlog.get_logger(__name__)

RETRY_S = 0.25
"""Pause before an append that found no space is tried again."""
APPENDS_WAITING = 2
"""Appends that wait to be published, each with one flashblock; one more is in the hands of either stage."""


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


@dataclass(slots=True)
class _Signing:
    """Flashblocks that are signed in the log's thread as soon as they are durable."""

    flashblocks: Sequence[Flashblock]
    signed: Sequence[SignedFlashblock] = ()
    failure: BaseException | None = None
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Appended:
    """Steps whose entries are durable, the first of them at ``position``, and signed."""

    steps: Sequence[_Step]
    position: int
    signing: _Signing
    took_s: float


class PromiseService:
    """The stage between the builder and everyone who waits for promises. Holds one block's steps at most."""

    def __init__(
        self,
        *,
        sequence_log: SequenceLog,
        fence: int,
        signer: GuardedSigner,
        settling_thread: Executor,
        on_opened: Callable[[PayloadAttributes], None],
        on_logging: Callable[[ClosedFlashblock], None],
        on_preconfirmed: Callable[[SignedFlashblock, ClosedFlashblock], Awaitable[None]],
        on_sealed: Callable[[LoggedSeal], Awaitable[None]],
        on_stalled: Callable[[bool], None],
        metrics: PreconfMetrics,
        clock_ms: Callable[[], int],
    ) -> None:
        self._log = sequence_log
        self._fence = fence
        self._signer = signer
        self._settling_thread = settling_thread
        self._on_opened = on_opened
        self._on_logging = on_logging
        self._on_preconfirmed = on_preconfirmed
        self._on_sealed = on_sealed
        self._on_stalled = on_stalled
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._steps: deque[_Step] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._durable: asyncio.Queue[_Appended] = asyncio.Queue(APPENDS_WAITING)
        self._unsettled = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def idle(self) -> bool:
        """Everything handed in is durable and signed, and on its way to be published."""
        return self._idle.is_set()

    async def wait_idle(self) -> None:
        """Until ``idle``."""
        await self._idle.wait()

    async def drain(self) -> None:
        """Until everything handed in is published, and durable in the guard's file too."""
        await self._idle.wait()
        await self._durable.join()
        await self._settled.wait()

    async def opened(self, attributes: PayloadAttributes) -> None:
        """A block begins. Its entry waits for the first flashblock or the seal, to share their sync."""
        self._steps.append(attributes)
        self._on_opened(attributes)

    async def closed(self, flashblock: ClosedFlashblock) -> None:
        """A flashblock to promise. The append stage has its turn before this returns, so that the disk is at work while
        the builder looks for more."""
        self._hand_in(flashblock)
        await asyncio.sleep(0)

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
        async with asyncio.TaskGroup() as stages:
            stages.create_task(self._watched(self._append_forever()), name="append")
            stages.create_task(self._watched(self._promise_forever()), name="promise")
            stages.create_task(self._settle_forever(), name="settle")

    async def _watched(self, stage: Coroutine[object, object, None]) -> None:
        try:
            await stage
        except GuardRefused as refusal:
            self._metrics.guard_refusals.inc()
            log.critical("guard.refused", reason=str(refusal))
            raise

    async def _append_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while not self._idle.is_set():
                await self._durable.put(await self._make_durable(self._next_steps()))
                if all(isinstance(step, PayloadAttributes) for step in self._steps):
                    self._idle.set()

    def _next_steps(self) -> list[_Step]:
        """Everything that waits, up to its second flashblock."""
        steps: list[_Step] = []
        flashblocks = 0
        while self._steps:
            flashblocks += isinstance(self._steps[0], ClosedFlashblock)
            if flashblocks > 1:
                break
            steps.append(self._steps.popleft())
        return steps

    async def _make_durable(self, steps: Sequence[_Step]) -> _Appended:
        flashblocks = [step.entry.flashblock for step in steps if isinstance(step, ClosedFlashblock)]
        self._signer.admit(flashblocks)  # before the log has them, which forgets nothing
        signing = _Signing(flashblocks)
        asyncio.get_running_loop().call_soon(self._prepare, steps)
        position, took_s = await self._append([_entry(step) for step in steps], signing)
        for step in steps:
            if isinstance(step, _Record) and not step.durable.cancelled():
                step.durable.set_result(None)
        return _Appended(steps, position, signing, took_s)

    def _prepare(self, steps: Sequence[_Step]) -> None:
        """While the disk is at work, make ready what can be said only afterwards."""
        for step in steps:
            if isinstance(step, ClosedFlashblock):
                self._on_logging(step)

    async def _promise_forever(self) -> None:
        while True:
            await self._promise(await self._durable.get())
            self._durable.task_done()

    async def _promise(self, appended: _Appended) -> None:
        if appended.signing.failure is not None:
            raise appended.signing.failure
        await self._pass_on(appended, appended.signing.signed)
        self._metrics.append_seconds.observe(appended.took_s)
        self._metrics.signing_seconds.inc(appended.signing.cpu_s)
        if appended.signing.signed:
            self._settled.clear()
            self._unsettled.set()

    async def _settle_forever(self) -> None:
        """Make the guard's file durable after what was published, once for all that was meanwhile."""
        while True:
            await self._unsettled.wait()
            self._unsettled.clear()
            await asyncio.get_running_loop().run_in_executor(self._settling_thread, self._settle)
            if not self._unsettled.is_set():
                self._settled.set()

    async def _pass_on(self, appended: _Appended, signed: Sequence[SignedFlashblock]) -> None:
        """Publish what is signed, and hand sealed blocks on, in order."""
        remaining = iter(signed)
        for position, step in enumerate(appended.steps, appended.position):
            if isinstance(step, ClosedFlashblock):
                await self._publish(next(remaining), step)
            elif isinstance(step, Block):
                await self._on_sealed(LoggedSeal(step, position))

    async def _append(self, entries: Sequence[Entry], signing: _Signing) -> tuple[int, float]:
        """Durable and signed when this returns; the position of the first, and the seconds it took."""
        first = self._log.next_position
        durable = partial(self._sign, signing) if signing.flashblocks else None
        stalled = False
        while True:
            started = time.perf_counter()
            try:
                result = await self._log.append(entries, first, self._fence, durable)
            except Temporary as error:
                if not stalled:
                    log.warning("sequence log is full; promising nothing until there is space", error=str(error))
                stalled = True
                self._stalled(now=True)
                await asyncio.sleep(RETRY_S)
                continue
            if not isinstance(result, Appended):
                raise Fatal(f"the log did not take entries at position {first}: {result.reason}")
            if stalled:
                log.info("sequence log takes entries again")
                self._stalled(now=False)
            return first, time.perf_counter() - started

    def _stalled(self, *, now: bool) -> None:
        self._metrics.stalled.set(now)
        self._on_stalled(now)

    def _sign(self, signing: _Signing) -> None:
        """The log holds the flashblocks: called in the thread that knows it, before it tells anybody."""
        started = time.thread_time()
        try:
            signing.signed = self._signer.sign(signing.flashblocks)
        except BaseException as error:  # noqa: BLE001 - raised where it would have been published
            signing.failure = error
        signing.cpu_s = time.thread_time() - started

    def _settle(self) -> None:
        started = time.perf_counter()
        self._signer.settle()
        self._metrics.guard_seconds.observe(time.perf_counter() - started)

    async def _publish(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> None:
        await self._on_preconfirmed(signed, closed)
        since_closed_ms = max(self._clock_ms() - signed.flashblock.timestamp_ms, 0)
        self._metrics.flashblocks.inc()
        self._metrics.promises.inc(len(closed.taken))
        self._metrics.latency.observe_ms([arrival.age_ms + since_closed_ms for arrival in closed.entry.arrivals])


def _entry(step: _Step) -> Entry:
    if isinstance(step, PayloadAttributes):
        return BlockOpen(step)
    if isinstance(step, ClosedFlashblock | _Record):
        return step.entry
    return BlockSeal(step.header.number, step.header.hash, step.header.state_root)
