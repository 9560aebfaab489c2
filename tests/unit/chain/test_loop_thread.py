"""A thread of the loop's own does what a pool of one thread does."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from sequencer.loop_thread import LoopThread


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    started = LoopThread("test")
    yield started
    started.shutdown(cancel_futures=True)


async def run(thread: LoopThread, work: object, *arguments: object) -> object:
    return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)  # type: ignore[arg-type]


async def test_work_is_done_elsewhere_and_answered_here(thread: LoopThread) -> None:
    assert await run(thread, pow, 2, 10) == 1024
    assert await run(thread, lambda: threading.current_thread().name) == "test"


async def test_an_error_reaches_who_waits_and_the_thread_goes_on(thread: LoopThread) -> None:
    with pytest.raises(ZeroDivisionError):
        await run(thread, divmod, 1, 0)
    assert await run(thread, abs, -1) == 1


async def test_jobs_run_in_order(thread: LoopThread) -> None:
    done: list[int] = []
    await asyncio.gather(*[run(thread, done.append, number) for number in range(100)])
    assert done == list(range(100))


async def test_what_was_cancelled_before_its_turn_never_runs(thread: LoopThread) -> None:
    gate, done = threading.Event(), threading.Event()
    first = asyncio.ensure_future(run(thread, gate.wait))
    second = asyncio.ensure_future(run(thread, done.set))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    gate.set()
    await first
    await run(thread, abs, 0)
    assert not done.is_set()


async def test_stopping_finishes_what_has_begun_and_cancels_the_rest() -> None:
    thread = LoopThread("stopping")
    begun, gate = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return gate.wait()

    first = asyncio.ensure_future(run(thread, work))
    second = asyncio.ensure_future(run(thread, abs, 1))
    await asyncio.to_thread(begun.wait)
    thread.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert await first is True
    with pytest.raises(asyncio.CancelledError):
        await second
    with pytest.raises(RuntimeError):
        thread.submit(abs, 1)


def test_a_loop_that_is_gone_is_no_reason_to_fail() -> None:
    thread, gate = LoopThread("orphan"), threading.Event()

    async def leave() -> None:
        thread.submit(gate.wait)

    asyncio.run(leave())
    gate.set()
    thread.shutdown()
