"""A load client that costs little: keep-alive HTTP/1.1 on bare asyncio protocols, one request in flight each."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit


def post(url: str, body: bytes) -> bytes:
    """The bytes of one request."""
    host = urlsplit(url).netloc
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, take: Callable[["_Connection"], None], answered: Callable[["_Connection", bytes], None]) -> None:
        self._take = take
        self._answered = answered
        self._buffer = b""
        self.lane = -1
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._take(self)

    def send(self, request: bytes) -> None:
        if self.transport:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(b"content-length:") + 15
        size = int(head[at:].split(b"\r\n", 1)[0])
        if len(rest) >= size:
            self._buffer = rest[size:]
            self._answered(self, rest[:size])
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

    def take(connection: _Connection) -> None:
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

    def answered(_connection: _Connection, body: bytes) -> None:
        if b'"error"' in body and not done.done():
            done.set_exception(LaneFailed(body[:300].decode()))

    transports = [
        (await loop.create_connection(lambda: _Connection(take, answered), address.hostname, address.port))[0]
        for _ in queues
    ]
    try:
        await done
    finally:
        for transport in transports:
            transport.close()
