"""A promise does not wait until the guard's file is durable for the one before it, and is never signed before that."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sequencer.consensus.memory import MemoryLog
from sequencer.core.entries import FlashblockEntry
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.guard_format import GuardedChain
from sequencer.preconf.metrics import PreconfMetrics
from sequencer.preconf.service import PromiseService
from sequencer.preconf.signing import GuardedSigner
from sequencer.signer.local import LocalSigner
from sequencer.testing.disk import SimulatedDisk
from tests.unit.preconf.chains import DOMAIN, GENESIS, HOME, chain

KEY = b"\x11" * 32


class LateThread(ThreadPoolExecutor):
    """A thread that begins its jobs only once it is ``released``, as where others want the processor."""

    def __init__(self) -> None:
        super().__init__(1)
        self.released = threading.Event()

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        def late() -> Any:
            self.released.wait()
            return work(*arguments, **named)

        return super().submit(late)


class Pipeline:
    """The stage on a disk in memory, and what it published."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        signer = LocalSigner(KEY)
        self.disk = SimulatedDisk()
        self.file = GuardFile(Path("/guard"), GuardedChain(signer.address, 7, GENESIS), self.disk, lambda _: HOME)
        self.file.create()
        self.published: asyncio.Queue[Flashblock] = asyncio.Queue()
        self.stage = PromiseService(
            sequence_log=MemoryLog(),
            fence=0,
            signer=GuardedSigner(signer, DOMAIN, self.file),
            settling_thread=thread,
            on_opened=lambda _: None,
            on_logging=lambda _: None,
            on_preconfirmed=self._publish,
            on_sealed=_nothing,
            on_stalled=lambda _: None,
            metrics=PreconfMetrics(CollectorRegistry()),
            clock_ms=lambda: 0,
        )

    async def _publish(self, signed: SignedFlashblock, _: ClosedFlashblock) -> None:
        self.published.put_nowait(signed.flashblock)

    def durable(self) -> Flashblock | None:
        """The flashblock whose record would be there after the power is lost."""
        synced = self.disk._names[self.file.path].synced
        return next((each for each in reversed(RUN) if synced.find(each.struct_hash) >= 0), None)


RUN = chain((1, 0), (1, 1), (1, 2))


async def _nothing(_: object) -> None:
    pass


def closed(flashblock: Flashblock) -> ClosedFlashblock:
    return ClosedFlashblock(FlashblockEntry(flashblock, (), (), ()), (), ())


@pytest.fixture
def thread() -> Iterator[LateThread]:
    with LateThread() as thread:
        yield thread
        thread.released.set()


async def test_promises_go_on_while_the_thread_that_settles_is_late(thread: LateThread) -> None:
    pipeline = Pipeline(thread)
    running = asyncio.create_task(pipeline.stage.run())
    for before, flashblock in zip([None, *RUN], RUN, strict=False):
        await pipeline.stage.closed(closed(flashblock))
        async with asyncio.timeout(10):
            assert await pipeline.published.get() == flashblock
        assert pipeline.durable() == before, "the signer itself syncs what it signed before, and no more"
    running.cancel()


async def test_drained_means_that_the_guard_is_durable_too(thread: LateThread) -> None:
    pipeline = Pipeline(thread)
    running = asyncio.create_task(pipeline.stage.run())
    await pipeline.stage.closed(closed(RUN[0]))
    drained = asyncio.create_task(pipeline.stage.drain())
    assert await pipeline.published.get() == RUN[0]
    for _ in range(20):
        await asyncio.sleep(0)
    assert not drained.done()
    thread.released.set()
    async with asyncio.timeout(10):
        await drained
    assert pipeline.durable() == RUN[0]
    running.cancel()
