"""A load client that costs little: keep-alive HTTP/1.1 on bare asyncio protocols, one request in flight each."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import cycle
from time import perf_counter
from urllib.parse import urlsplit


def post(url: str, body: bytes) -> bytes:
    """The bytes of one request."""
    host = urlsplit(url).netloc
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection: ``take`` is asked for the next request, ``answered`` gets each body."""

    def __init__(self, take: Callable[["Connection"], None], answered: Callable[["Connection", bytes], None]) -> None:
        self._take = take
        self._answered = answered
        self._parts: list[bytes] = []
        self._missing = 0
        self.lane = -1
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._take(self)

    def send(self, request: bytes) -> None:
        if self.transport:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if not self._missing:
            received = b"".join(self._parts)
            head, found, body = received.partition(b"\r\n\r\n")
            if not found:
                return
            at = head.lower().index(b"content-length:") + 15
            self._missing = int(head[at:].split(b"\r\n", 1)[0]) - len(body)
            self._parts = [body]
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            body = b"".join(self._parts)
            self._parts, self._missing = [], 0
            self._answered(self, body)
            self._take(self)


class LaneFailed(Exception):
    """An answer was an error."""


async def send_lanes(url: str, lanes: Sequence[Sequence[bytes]]) -> None:
    """Send each lane's requests in order, one at a time, all lanes side by side; each lane on its connection.

    Raises ``LaneFailed`` if any answer holds an error.
    """
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    queues = [deque(lane) for lane in lanes]
    done = loop.create_future()
    left = len(queues)
    starting = iter(range(len(queues)))

    def take(connection: Connection) -> None:
        nonlocal left
        if connection.lane < 0:
            connection.lane = next(starting)
        queue = queues[connection.lane]
        if queue:
            connection.send(queue.popleft())
            return
        left -= 1
        if left == 0 and not done.done():
            done.set_result(None)

    def answered(_connection: Connection, body: bytes) -> None:
        if b'"error"' in body and not done.done():
            done.set_exception(LaneFailed(body[:300].decode()))

    transports = [
        (await loop.create_connection(lambda: Connection(take, answered), address.hostname, address.port))[0]
        for _ in queues
    ]
    try:
        await done
    finally:
        for transport in transports:
            transport.close()


async def answers_within(url: str, requests: Sequence[bytes], connections: int, seconds: float) -> tuple[int, float]:
    """Ask for ``seconds``, one request at a time on each connection, the list over and over; then wait for the rest.

    Returns the number of answers and the seconds until the last one. Raises ``LaneFailed`` if one held an error.
    """
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    endless = cycle(requests)
    done = loop.create_future()
    count, waiting, stop_at = 0, connections, loop.time() + seconds

    def take(connection: Connection) -> None:
        nonlocal waiting
        if loop.time() < stop_at:
            connection.send(next(endless))
            return
        waiting -= 1
        if not waiting and not done.done():
            done.set_result(None)

    def answered(_connection: Connection, body: bytes) -> None:
        nonlocal count
        count += 1
        if b'"error"' in body and not done.done():
            done.set_exception(LaneFailed(body[:300].decode()))

    begun = loop.time()
    transports = [
        (await loop.create_connection(lambda: Connection(take, answered), address.hostname, address.port))[0]
        for _ in range(connections)
    ]
    try:
        await done
    finally:
        for transport in transports:
            transport.close()
    return count, loop.time() - begun


async def latencies(url: str, requests: Sequence[bytes], per_second: float, connections: int) -> list[float]:
    """Send each request when it is due, whatever became of those before; seconds from due to answered.

    A request that finds every connection busy waits for one, and the wait counts. Raises ``LaneFailed`` if an answer
    held an error.
    """
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    free: deque[Connection] = deque()
    due_at: dict[Connection, float] = {}
    waiting: deque[tuple[float, bytes]] = deque()
    taken: list[float] = []
    done = loop.create_future()

    def send(connection: Connection, due: float, request: bytes) -> None:
        due_at[connection] = due
        connection.send(request)

    def take(connection: Connection) -> None:
        if waiting:
            send(connection, *waiting.popleft())
        else:
            free.append(connection)

    def answered(connection: Connection, body: bytes) -> None:
        taken.append(perf_counter() - due_at[connection])
        if done.done():
            return
        if b'"error"' in body:
            done.set_exception(LaneFailed(body[:300].decode()))
        elif len(taken) == len(requests):
            done.set_result(None)

    transports = [
        (await loop.create_connection(lambda: Connection(take, answered), address.hostname, address.port))[0]
        for _ in range(connections)
    ]
    begun = perf_counter()
    for serial, request in enumerate(requests):
        due = begun + serial / per_second
        await asyncio.sleep(max(due - perf_counter(), 0))
        if free:
            send(free.popleft(), due, request)
        else:
            waiting.append((due, request))
    try:
        await done
    finally:
        for transport in transports:
            transport.close()
    return taken
