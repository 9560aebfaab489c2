"""Plain sends, gathered over one turn of the event loop and served together.

Under load dozens of connections have a request waiting in each turn. One call reads them all, one coroutine hands
their transactions in, and one loop writes the answers, so that a request costs no task, no future and no parser of
its own. What a turn takes is bounded; the rest waits for the next one, and everybody else gets a turn in between.
Whatever the reader declines goes back to its connection, which serves it alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import structlog

from sequencer.core.errors import Fatal
from sequencer.core.sends import PlainSends, SendReader
from sequencer.rpc.dispatcher import Dispatcher

if TYPE_CHECKING:
    from sequencer.rpc.fast_post import FastPaths, FastPost

_log = structlog.get_logger()

_TURN_BYTES: Final = 32 * 1024
"""What is read in one turn, give or take a request: some 75 transfers, three milliseconds of signature recovery."""
PLAIN_BODY_BYTES: Final = 64 * 1024
"""A longer body is not read here: it holds more work than fits in a turn."""
_CALLERS_KEPT: Final = 1_024

_Served = tuple["FastPost", PlainSends]


class SendTurn:
    """The connections whose next request has not been looked at."""

    def __init__(self, paths: "FastPaths", reader: SendReader) -> None:
        self._paths = paths
        self._reader = reader
        self._waiting: deque[FastPost] = deque()
        self._scheduled = False
        self._in_admission = 0
        self._callers: dict[tuple[str, str | None, str | None], bytes | None] = {}

    def add(self, connection: "FastPost") -> None:
        """Look at its bytes before the next turn of the loop; exactly one of ``alone`` and ``answered`` follows."""
        self._waiting.append(connection)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        taken: list[FastPost] = []
        requests: list[bytes] = []
        size = 0
        while self._waiting and size < _TURN_BYTES:
            connection = self._waiting.popleft()
            request = connection.received()
            size += len(request)
            taken.append(connection)
            requests.append(request)
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._run)
        by_path: dict[str, list[_Served]] = {}
        for connection, sends in zip(taken, self._read(requests), strict=True):
            if sends is None or not self._takes(connection, sends):
                connection.alone()
            else:
                connection.begin(sends.end)
                by_path.setdefault(sends.path, []).append((connection, sends))
        for path, served in by_path.items():
            task = asyncio.get_running_loop().create_task(self._serve(self._paths.dispatchers[path], served))
            self._paths.serving.add(task)
            task.add_done_callback(self._paths.serving.discard)

    def _read(self, requests: Sequence[bytes]) -> Sequence[PlainSends | None]:
        try:
            return self._reader.read(requests)
        except Fatal as error:  # a defect of the reader, which has no state: the general way reads them all
            _log.error("requests could not be read together", exc_info=error)
            return [None] * len(requests)

    def _takes(self, connection: "FastPost", sends: PlainSends) -> bool:
        """The request may be served here. What is to be refused is left to the connection."""
        paths, count = self._paths, len(sends.raws)
        if self._in_admission + count > paths.config.send_limit or self._cors(sends) is None:
            return False
        return not paths.rates.take(connection.client(sends.forwarded_for), count, time.monotonic())

    def _cors(self, sends: PlainSends) -> bytes | None:
        """The header lines for the page that asks; None for who may not be served. The same few ask all day."""
        caller = sends.path, sends.host, sends.origin
        found = self._callers.get(caller, ...)
        if found is ...:
            allowed = sends.path in self._paths.dispatchers and self._paths.access.host_allowed(sends.host)
            found = self._paths.cors(sends.origin) if allowed else None
            if len(self._callers) >= _CALLERS_KEPT:
                self._callers.clear()
            self._callers[caller] = found
        return found

    async def _serve(self, dispatcher: Dispatcher, served: Sequence[_Served]) -> None:
        raws = [raw for _, sends in served for raw in sends.raws]
        hashes = [raw_hash for _, sends in served for raw_hash in sends.hashes]
        self._in_admission += len(raws)
        try:
            refused = await dispatcher.submit_all(raws, hashes)
        finally:
            self._in_admission -= len(raws)
        errors = iter(refused)
        error = next(errors, None)
        first = 0
        for connection, sends in served:
            after = first + len(sends.raws)
            own: list[tuple[int, bytes]] = []
            while error is not None and error[0] < after:
                own.append((error[0] - first, error[1]))
                error = next(errors, None)
            connection.answered(sends.answer(self._cors(sends) or b"", own))
            first = after
