"""The short way for the request that wallets send all day: a small, plain JSON-RPC POST.

A general HTTP server spends more on such a request than the node does on the transaction inside it. This
protocol reads requests of exactly one shape itself and answers them on the connection; the first bytes that
have any other shape go, with everything after them, to the general protocol, which thereby keeps deciding
what is an error. Always holds: a byte is handled by one of the two and never by both, and answers leave in
the order in which requests came.

The shape: ``POST`` with HTTP/1.1 to a JSON-RPC path, one ``Content-Length``, and none of ``Transfer-Encoding``,
``Content-Encoding``, ``Expect``, ``Connection``, ``Upgrade``; no line folding and no repeated header.
"""

import asyncio
import gzip
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final, Protocol

from sequencer.rpc.access import AccessRules, client_address
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.rpc.errors import too_many_requests
from sequencer.rpc.rates import RateLimiter

HEADER_LIMIT_BYTES: Final = 8 * 1024
"""A longer header is not of the shape; the general protocol judges it."""
_ELSEWHERE: Final = frozenset(
    (b"transfer-encoding", b"content-encoding", b"expect", b"connection", b"upgrade", b"sec-websocket-key")
)
"""Headers that change how the body is read or what becomes of the connection."""
_KEEP_ALIVE: Final = b"keep-alive"
_NO_CONTENT: Final = b"HTTP/1.1 204 No Content\r\n"
_OK: Final = b"HTTP/1.1 200 OK\r\n"
_TOO_MANY: Final = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\n"
_CONTENT: Final = b"Content-Type: application/json\r\nContent-Length: %d\r\n"


@dataclass(frozen=True, slots=True)
class PostHead:
    """The header of a request of the shape, and where its body begins."""

    path: str
    host: str | None
    origin: str | None
    accepts_gzip: bool
    body_at: int
    body_end: int
    forwarded_for: str = ""


def parse_head(data: bytes | bytearray) -> PostHead | None:
    """The head at the start of ``data``, which must hold it whole; None if it is not of the shape. Pure."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or end > HEADER_LIMIT_BYTES:
        return None
    lines = bytes(data[:end]).split(b"\r\n")
    method, _, target = lines[0].partition(b" ")
    path, _, version = target.partition(b" ")
    if method != b"POST" or version != b"HTTP/1.1" or not path.startswith(b"/") or b"?" in path:
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name or name[0] in b" \t" or name[-1] in b" \t" or name in headers:
            return None
        headers[name] = value.strip(b" \t")
    if headers.get(b"connection", b"").lower() == _KEEP_ALIVE:
        del headers[b"connection"]
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or len(length) > 9 or not _ELSEWHERE.isdisjoint(headers):
        return None
    body_at = end + 4
    try:
        host, origin = _text(headers.get(b"host")), _text(headers.get(b"origin"))
        return PostHead(
            path.decode("ascii"),
            host,
            origin,
            b"gzip" in headers.get(b"accept-encoding", b""),
            body_at,
            body_at + int(length),
            headers.get(b"x-forwarded-for", b"").decode("ascii"),
        )
    except UnicodeDecodeError:
        return None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("ascii")


@dataclass(frozen=True, slots=True)
class FastPaths:
    """What the short way needs to know, made once for a server."""

    config: RpcConfig
    access: AccessRules
    dispatchers: Mapping[str, Dispatcher]
    rates: RateLimiter
    serving: set[asyncio.Task[None]] = field(default_factory=set)
    """Answers being made, for an orderly stop."""


class Watch(Protocol):
    """What a connection's guard is told, so that deadlines hold on either way."""

    ip: str

    def request_started(self) -> None: ...
    def body_received(self) -> None: ...
    def request_finished(self) -> None: ...


class FastPost(asyncio.Protocol):
    """One connection. ``make_general`` gives the protocol that takes over whatever is not of the shape."""

    __slots__ = ("_buffer", "_general", "_head", "_make_general", "_paths", "_serving", "_transport", "_watch")

    def __init__(self, paths: FastPaths, watch: Watch, make_general: Callable[[], asyncio.Protocol]) -> None:
        self._paths = paths
        self._watch = watch
        self._make_general = make_general
        self._general: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._head: PostHead | None = None
        self._serving: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read on, or pass it on."""
        if self._general is not None:
            self._general.data_received(data)
            return
        self._buffer += data
        if self._serving is None:
            self._next()
        elif len(self._buffer) > self._paths.config.body_limit_bytes and self._transport is not None:
            # Requests sent ahead wait in the client's own memory beyond this.
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """The client will send no more; an answer under way is still written."""
        if self._general is not None:
            return self._general.eof_received()
        return self._serving is not None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for the answer any more."""
        if self._general is not None:
            self._general.connection_lost(exc)
        if self._serving is not None:
            self._serving.cancel()

    def pause_writing(self) -> None:
        """Backpressure is the guard's: a client that does not read is cut off."""
        if self._general is not None:
            self._general.pause_writing()

    def resume_writing(self) -> None:
        """See ``pause_writing``."""
        if self._general is not None:
            self._general.resume_writing()

    def _next(self) -> None:
        """Start on the request in the buffer if it is whole, or give the connection away."""
        if self._head is None:
            if b"\r\n\r\n" not in self._buffer:
                may_fit = b"POST /".startswith(bytes(self._buffer[:6])) and len(self._buffer) <= HEADER_LIMIT_BYTES
                if not may_fit:
                    self._give_away()
                return
            head = parse_head(self._buffer)
            if head is None or not self._takes(head):
                self._give_away()
                return
            self._head = head
            self._watch.request_started()
        if len(self._buffer) >= self._head.body_end:
            self._watch.body_received()
            body = bytes(self._buffer[self._head.body_at : self._head.body_end])
            del self._buffer[: self._head.body_end]
            head, self._head = self._head, None
            self._serving = asyncio.get_running_loop().create_task(self._serve(head, body))
            self._paths.serving.add(self._serving)
            self._serving.add_done_callback(self._paths.serving.discard)

    def _takes(self, head: PostHead) -> bool:
        return (
            head.path in self._paths.dispatchers
            and head.body_end - head.body_at <= self._paths.config.body_limit_bytes
            and self._paths.access.host_allowed(head.host)
        )

    def _give_away(self) -> None:
        self._general = self._make_general()
        if self._transport is not None:
            self._general.connection_made(self._transport)
        data, self._buffer = bytes(self._buffer), bytearray()
        self._general.data_received(data)

    async def _serve(self, head: PostHead, body: bytes) -> None:
        dispatcher, proxies = self._paths.dispatchers[head.path], self._paths.config.trusted_proxies
        parsed = dispatcher.read(body)
        client = client_address(self._watch.ip, head.forwarded_for, proxies) if proxies else self._watch.ip
        wait_s = self._paths.rates.take(client, dispatcher.cost(parsed), time.monotonic())
        if wait_s:
            answer, status = dispatcher.refuse(parsed, too_many_requests(wait_s)), _TOO_MANY % ceil(wait_s)
        else:
            answer, status = await dispatcher.answer(parsed), _OK
        if self._transport is None or self._transport.is_closing():
            return
        coding = b""
        if head.accepts_gzip and len(answer) >= self._paths.config.gzip_threshold_bytes:
            answer = await asyncio.to_thread(gzip.compress, answer, 1)
            coding = b"Content-Encoding: gzip\r\nVary: Accept-Encoding, Origin\r\n"
        self._transport.write(self._response(head, status, answer, coding))
        self._serving = None
        self._watch.request_finished()
        self._transport.resume_reading()
        if self._buffer:
            self._next()

    def _response(self, head: PostHead, status: bytes, answer: bytes, coding: bytes) -> bytes:
        cors = "".join(f"{name}: {value}\r\n" for name, value in self._paths.access.cors_headers(head.origin).items())
        if not answer:
            return _NO_CONTENT + cors.encode() + b"\r\n"
        content = _CONTENT % len(answer)
        return b"".join((status, content, coding, cors.encode(), b"\r\n", answer))
