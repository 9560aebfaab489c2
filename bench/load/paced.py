"""Requests sent at a fixed rate, whatever the answers take: the load under which latencies are measured."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.load.client import Connection, LaneFailed


@dataclass
class Answers:
    """What came back so far. A request that was due while the answer before it was missing is sent late."""

    latencies_ms: list[float] = field(default_factory=list)
    late: int = 0


class _Lane:
    """One connection's requests in order, one every ``interval_s`` from ``begin`` on."""

    def __init__(self, requests: Sequence[bytes], begin: float, interval_s: float, answers: Answers) -> None:
        self._requests = deque(requests)
        self._due = begin
        self._interval_s = interval_s
        self._answers = answers
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, connection: Connection) -> None:
        if not self._requests:
            if not self.done.done():
                self.done.set_result(None)
            return
        loop = asyncio.get_running_loop()
        self._answers.late += loop.time() > self._due + 0.001
        loop.call_at(self._due, self._send, connection, self._requests.popleft())
        self._due += self._interval_s

    def _send(self, connection: Connection, request: bytes) -> None:
        if connection.transport is None or connection.transport.is_closing():
            return  # the load is over
        self._sent = time.perf_counter()
        connection.send(request)

    def answered(self, _: Connection, body: bytes) -> None:
        self._answers.latencies_ms.append((time.perf_counter() - self._sent) * 1000)
        if b'"error"' in body and not self.done.done():
            self.done.set_exception(LaneFailed(body[:300].decode()))


@asynccontextmanager
async def paced(url: str, lanes: Sequence[Sequence[bytes]], per_second: float) -> AsyncIterator["Paced"]:
    """Send all lanes side by side, ``per_second`` requests in all, until they are through or the block is left."""
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    answers, begin, interval_s = Answers(), loop.time() + 0.2, len(lanes) / per_second
    running = [_Lane(lane, begin + index / per_second, interval_s, answers) for index, lane in enumerate(lanes)]

    def connections() -> Iterator[Connection]:
        for lane in running:
            yield Connection(lane.take, lane.answered)

    making = connections()
    transports = [
        (await loop.create_connection(lambda: next(making), address.hostname, address.port))[0] for _ in running
    ]
    try:
        yield Paced(answers, [lane.done for lane in running])
    finally:
        for transport in transports:
            transport.close()


@dataclass
class Paced:
    """A load that is running."""

    answers: Answers
    _lanes: list["asyncio.Future[None]"]

    async def through(self) -> None:
        """Until the last answer. Raises ``LaneFailed`` if one holds an error."""
        await asyncio.gather(*self._lanes)
