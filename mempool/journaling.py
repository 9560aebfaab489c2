"""Writes accepted transactions to the journal, many at a time and beside the event loop.

A transaction is answered once it is written, so whatever a user was told was accepted survives ``kill -9``.
Building does not wait for it. Who waits for a pre-confirmation is told nothing before the sequence log has the
transaction, so it is written here only if that takes long, or if something is to be told before (``flush``). A signed
receipt of arrival is a promise that survives a loss of power too: who signs one asks for ``persist`` first.
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Final, TypeAlias

import structlog

from mempool.ingress import Submission
from mempool.journal import Journal, Recovered
from mempool.metrics import MempoolMetrics
from sequencer.core.errors import Temporary
from sequencer.core.transaction import PooledTransaction

_log = structlog.get_logger()

_PROMISE_S: Final = 0.05
"""What is promised sooner than this never needs the journal."""
_GROWTH: Final = 2
"""The file is written anew when it is this many times as large as what the pool holds, and the limit."""

_Awaited: TypeAlias = tuple[PooledTransaction, Submission | None]
"""What is to be written, and who waits for it, if anyone."""


class JournalWriter:
    """One coroutine that writes, on ``thread`` or any. ``contents``, ``waits`` and ``live_bytes`` tell what the pool
    holds, ``waits`` of one transaction whether it is still without its place in the log."""

    def __init__(
        self,
        journal: Journal,
        contents: Callable[[], list[PooledTransaction]],
        waits: Callable[[PooledTransaction], bool],
        live_bytes: Callable[[], int],
        limit_bytes: int,
        metrics: MempoolMetrics,
        thread: Executor | None = None,
    ) -> None:
        self._journal = journal
        self._contents = contents
        self._waits = waits
        self._live_bytes = live_bytes
        self._limit_bytes = limit_bytes
        self._metrics = metrics
        self._thread = thread
        self._waiting: list[_Awaited] = []
        self._unhurried: list[PooledTransaction] = []
        self._older: list[PooledTransaction] = []
        """Of the unhurried those that were there when the time began to run."""
        self._timer_runs = False
        self._flushing: list[asyncio.Future[None]] = []
        """Who waits until all that was added so far is written."""
        self._persisting: list[asyncio.Future[None]] = []
        """Who waits until it is synced too."""
        self._anew = False
        """Somebody was refused a promise because of what became of the file."""
        self._ended = False
        self._work = asyncio.Event()
        self._copying: asyncio.Task[bool] | None = None

    async def open(self) -> Recovered:
        """What an earlier process left."""
        recovered = await asyncio.to_thread(self._journal.open)
        if recovered.damaged_bytes:
            _log.warning("mempool journal: a damaged tail was cut off", size_bytes=recovered.damaged_bytes)
        return recovered

    async def close(self) -> None:
        """Release the file."""
        await asyncio.to_thread(self._journal.close)

    def add(self, accepted: Iterable[tuple[PooledTransaction, Submission]]) -> None:
        """Write them soon, then answer."""
        self._waiting += accepted
        self._work.set()

    def add_unhurried(self, accepted: Iterable[PooledTransaction]) -> None:
        """Write those of them that still wait in a while; nobody waits for it."""
        if not self._timer_runs:
            self._timer_runs = True
            asyncio.get_running_loop().call_later(_PROMISE_S, self._hurry)
        self._unhurried += accepted

    async def flush(self) -> None:
        """Write now what has no hurry, and return once all that was added before is written. As with any answer, a
        disk that refuses is no reason not to return."""
        if not self._ended:
            await self._all_of_it(self._flushing)

    async def persist(self) -> None:
        """Return once all that was added before survives a loss of power, as far as it still waits. Raises
        ``Temporary`` if it may not: nothing may be promised then."""
        if self._ended:
            raise Temporary("mempool journal: closed")
        await self._all_of_it(self._persisting)

    async def _all_of_it(self, awaited: list[asyncio.Future[None]]) -> None:
        self._waiting += [(pooled, None) for pooled in (*self._older, *self._unhurried) if self._waits(pooled)]
        self._older, self._unhurried = [], []
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        awaited.append(done)
        self._work.set()
        await done

    def _hurry(self) -> None:
        waiting = [(pooled, None) for pooled in self._older if self._waits(pooled)]
        self._older, self._unhurried = self._unhurried, []
        self._timer_runs = bool(self._older)
        if self._timer_runs:
            asyncio.get_running_loop().call_later(_PROMISE_S, self._hurry)
        if waiting:
            self._waiting += waiting
            self._work.set()

    async def run(self) -> None:
        """Write until cancelled; what waits then is written and answered before this returns."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._work.wait()
                    self._work.clear()
                    if self._waiting or self._flushing or self._persisting:
                        await self._write()  # what comes meanwhile sets the event again
                    await self._keep_small(tasks)
        finally:
            waiting, unhurried = self._waiting, [*self._older, *self._unhurried]
            self._waiting, self._older, self._unhurried = [], [], []
            left = [*(pooled for pooled, _ in waiting), *unhurried]
            error = await asyncio.to_thread(self._record, left, bool(self._persisting))
            self._ended = True
            self._answer(waiting, self._flushing, self._persisting, error)

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        flushing, self._flushing = self._flushing, []
        persisting, self._persisting = self._persisting, []
        try:
            error = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._record, [pooled for pooled, _ in batch], bool(persisting)
            )
        except asyncio.CancelledError:
            # The thread may not have begun. Writing twice does no harm: what is known is not admitted again.
            self._waiting = [*batch, *self._waiting]
            self._flushing = [*flushing, *self._flushing]
            self._persisting = [*persisting, *self._persisting]
            raise
        self._answer(batch, flushing, persisting, error)
        self._anew = self._anew or (bool(persisting) and self._journal.doubtful)

    def _record(self, accepted: list[PooledTransaction], durably: bool) -> Temporary | None:
        """In a thread: what went wrong, if anything did."""
        try:
            self._journal.append(accepted)
            if durably:
                self._journal.sync()
        except Temporary as error:
            return error
        return None

    def _answer(
        self,
        batch: list[_Awaited],
        flushing: list[asyncio.Future[None]],
        persisting: list[asyncio.Future[None]],
        error: Temporary | None,
    ) -> None:
        """A disk that refuses is no reason to refuse a transaction, but one to sign nothing about it."""
        if error is not None:
            self._failed(error)
        for pooled, submission in batch:
            if submission is not None:
                submission.answer(pooled)
        for done in (*flushing, *(persisting if error is None else ())):
            if not done.done():
                done.set_result(None)
        for done in persisting:
            if not done.done():
                done.set_exception(Temporary(str(error)))

    async def _keep_small(self, tasks: asyncio.TaskGroup) -> None:
        """Begin or finish writing the file anew."""
        if self._copying is None:
            if self._anew or self._journal.size_bytes > max(self._limit_bytes, _GROWTH * self._live_bytes()):
                self._anew = False
                self._journal.begin_copy()
                self._copying = tasks.create_task(self._copy(self._contents()))
        elif self._copying.done():
            copied, self._copying = self._copying.result(), None
            if copied:
                try:
                    await asyncio.to_thread(self._journal.finish_copy)
                except Temporary as error:
                    self._failed(error)

    async def _copy(self, contents: list[PooledTransaction]) -> bool:
        try:
            await asyncio.to_thread(self._journal.write_copy, contents)
        except Temporary as error:
            self._failed(error)
            return False
        finally:
            self._work.set()
        return True

    def _failed(self, error: Temporary) -> None:
        """The transactions are in the pool all the same; a crash now would lose them."""
        self._metrics.journal_errors.inc()
        _log.error("mempool journal cannot be written", error=str(error))
