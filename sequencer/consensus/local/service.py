"""Engine ``local``: the sequence log of a set of one, tolerating crash and power loss by its disk.

Appends are handed to one long-lived writer thread, which takes everything that has queued up meanwhile
behind a single sync (natural group commit) and hands the answers back to the event loop. ``fdatasync``
releases the GIL, so the loop goes on. Segments are allocated ahead by a second thread.
"""

import asyncio
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from sequencer.consensus.local.files import OS_FILES
from sequencer.consensus.local.journal import Committed, Journal
from sequencer.consensus.metrics import LogMetrics
from sequencer.consensus.rules import Write
from sequencer.core.entries import Entry, encode
from sequencer.core.errors import Fatal, SequencerError, Temporary
from sequencer.core.files import Files
from sequencer.core.ports import Appended, AppendResult, Refused
from sequencer.core.types import Hash32

SEGMENT_BYTES: Final = 16 << 20
QUEUED_BYTES_LIMIT: Final = 64 << 20
"""Appends that wait for the disk; more are ``Temporary`` at once."""
GROUP_BYTES_LIMIT: Final = 8 << 20
"""A group takes no more appends once it holds this much, so that the first ones are not kept waiting."""
ALLOCATION_PAUSE_S: Final = 0.2
"""A full disk is not asked for a segment more often than this."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Request:
    write: Write
    size_bytes: int
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[AppendResult]"
    durable: Callable[[], None] | None


class LocalLog:
    """A ``SequenceLog`` in one folder, which must belong to this object alone. Use it as a context manager.

    Cancelling ``append`` does not undo it. After an append that raised ``Temporary``, those in flight behind it
    raise ``Temporary`` too, because their positions lie beyond the end.
    """

    def __init__(
        self,
        directory: Path,
        genesis_hash: Hash32,
        *,
        files: Files = OS_FILES,
        segment_bytes: int = SEGMENT_BYTES,
        encode: Callable[[Entry], bytes] = encode,
        metrics: LogMetrics | None = None,
    ) -> None:
        self._directory = directory
        self._encode = encode
        self._metrics = metrics
        self._journal = Journal(
            files,
            directory,
            genesis_hash,
            salt=secrets.randbits(32),
            segment_bytes=segment_bytes,
        )
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._queued_bytes = 0
        self._writer = threading.Thread(target=self._write_loop, name="sequence-log", daemon=True)
        self._allocator: ThreadPoolExecutor | None = None
        self._allocation: Future[None] | None = None
        self._allocate_after = 0.0
        self._open = False

    # ---------------------------------------------------------------------------------------- lifetime

    def open(self) -> None:
        """Check the log and start its threads. Blocking. Raises ``Fatal`` if the log is damaged or foreign,
        ``Temporary`` when there is no space for a first segment."""
        recovered = self._journal.open()
        if recovered.torn is not None:
            torn = recovered.torn
            _log.warning(
                "log.torn_tail",
                path=str(torn.path),
                offset=torn.offset,
                position=torn.position,
                dropped_bytes=torn.size_bytes,
            )
            if self._metrics is not None:
                self._metrics.torn_bytes.inc(torn.size_bytes)
        _log.info(
            "log.opened",
            path=str(self._directory),
            segments=self._journal.segment_count,
            first_position=self.first_position,
            next_position=self.next_position,
            term=self.term,
        )
        self._allocator = ThreadPoolExecutor(1, thread_name_prefix="sequence-log-space")
        self._open = True
        self._writer.start()
        self._allocate_ahead()

    def close(self) -> None:
        """Finish what is queued and release the files. Blocking; appends after it are ``Fatal``."""
        if not self._open:
            return
        self._open = False
        self._requests.put(None)
        self._writer.join()
        if self._allocator is not None:
            self._allocator.shutdown()
        self._journal.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -------------------------------------------------------------------------------------------- port

    @property
    def next_position(self) -> int:
        """One past the newest durable entry."""
        return self._journal.next_position

    @property
    def first_position(self) -> int:
        """The oldest entry still kept."""
        return self._journal.first_position

    @property
    def term(self) -> int:
        """The highest term in the log."""
        return self._journal.term

    async def append(
        self, entries: Sequence[Entry], position: int, fence: int, durable: Callable[[], None] | None = None
    ) -> AppendResult:
        """See the port. A ``Takeover`` needs its own term as the fence. Answers ``Appended | Refused`` only."""
        if not self._open:
            raise Fatal("the sequence log is not open")
        if not entries:
            raise ValueError("nothing to append")
        write = Write.of(entries, position, fence, self._encode)
        size = sum(map(len, write.encoded))
        if self._queued_bytes and self._queued_bytes + size > QUEUED_BYTES_LIMIT:
            raise Temporary("the sequence log is behind: too much waits for the disk")
        self._queued_bytes += size
        loop = asyncio.get_running_loop()
        request = _Request(write, size, loop, loop.create_future(), durable)
        self._requests.put(request)
        return await request.answer

    def read(self, position: int) -> Iterator[tuple[int, Entry]]:
        """Durable entries from ``position`` on, ``Fatal`` for those that are gone. Blocking, from any thread."""
        return self._journal.read(position)

    def begin_at(self, position: int, term: int) -> None:
        """Let an empty log begin later, where a chain was taken over from DA. Blocking; before any append."""
        self._journal.begin_at(position, term)

    def would_free(self, position: int) -> bool:
        """Whether ``retain(position)`` would delete a segment, and what it relies on must be durable first."""
        return self._journal.would_free(position)

    def retain(self, position: int) -> None:
        """Delete whole segments below ``position``, never the newest. Blocking, from any thread."""
        self._journal.retain(position)
        if self._metrics is not None:
            self._metrics.first_position.set(self.first_position)

    # -------------------------------------------------------------------------------------- writer thread

    def _write_loop(self) -> None:
        last = False
        while not last:
            group, last = self._next_group()
            if not group:
                continue
            started = time.perf_counter()
            try:
                answers: Sequence[Committed | SequencerError] = self._journal.commit([r.write for r in group])
            except Fatal as error:
                _log.error("log.failed", path=str(self._directory), error=str(error))
                answers = [Fatal(str(error)) for _ in group]
            except Exception as error:  # noqa: BLE001 - a fault of this program must not leave appends waiting
                _log.exception("log.failed", path=str(self._directory))
                answers = [Fatal(f"the sequence log failed: {error!r}") for _ in group]
            seconds = time.perf_counter() - started
            for request, answer in zip(group, answers, strict=True):
                if request.durable is not None and isinstance(answer, Appended):
                    request.durable()
            self._hand_back(group, answers)
            self._measure(group, answers, seconds)
            self._allocate_ahead()

    def _next_group(self) -> tuple[list[_Request], bool]:
        """Everything that waits, at least one, and whether it is the last."""
        group: list[_Request] = []
        size = 0
        request = self._requests.get()
        while request is not None:
            group.append(request)
            size += request.size_bytes
            if size >= GROUP_BYTES_LIMIT or self._requests.empty():
                return group, False
            request = self._requests.get()
        return group, True

    def _hand_back(self, group: Sequence[_Request], answers: Sequence[Committed | SequencerError]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Request, Committed | SequencerError]]] = {}
        for request, answer in zip(group, answers, strict=True):
            by_loop.setdefault(request.loop, []).append((request, answer))
        for loop, pairs in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._deliver, pairs)
            except RuntimeError:  # the loop is closed, and nobody waits any more
                self._queued_bytes -= sum(request.size_bytes for request, _ in pairs)

    def _deliver(self, pairs: Sequence[tuple[_Request, Committed | SequencerError]]) -> None:
        for request, answer in pairs:
            self._queued_bytes -= request.size_bytes
            if request.answer.done():
                continue
            if isinstance(answer, SequencerError):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)

    def _allocate_ahead(self) -> None:
        """Let the next segment be allocated. Without space the append that needs it will say so."""
        idle = self._allocation is None or self._allocation.done()
        if self._allocator is None or not idle or not self._journal.wants_spare:
            return
        now = time.monotonic()
        if now >= self._allocate_after:
            self._allocate_after = now + ALLOCATION_PAUSE_S
            self._allocation = self._allocator.submit(self._journal.prepare_spare)

    def _measure(
        self, group: Sequence[_Request], answers: Sequence[Committed | SequencerError], seconds: float
    ) -> None:
        if self._metrics is None:
            return
        self._metrics.commit_seconds.observe(seconds)
        self._metrics.next_position.set(self.next_position)
        for request, answer in zip(group, answers, strict=True):
            if isinstance(answer, Appended):
                self._metrics.entries.inc(len(request.write.entries))
            elif isinstance(answer, Refused):
                self._metrics.refused.inc()
            elif isinstance(answer, Temporary):
                self._metrics.no_space.inc()
