"""The short way for the request that wallets send all day: a small, plain JSON-RPC POST.

A general HTTP server spends more on such a request than the node does on the transaction inside it. This
protocol reads requests of exactly one shape itself and answers them on the connection; the first bytes that
have any other shape go, with everything after them, to the general protocol, which thereby keeps deciding
what is an error. Always holds: a byte is handled by one of the two and never by both, and answers leave in
the order in which requests came.

The shape: ``POST`` with HTTP/1.1 to a JSON-RPC path, one ``Content-Length``, and none of ``Transfer-Encoding``,
``Content-Encoding``, ``Expect``, ``Connection``, ``Upgrade``; no line folding, no repeated header and no lone CR or LF.

Where the engine reads plain sends, connections first gather in a ``SendTurn``; what it declines is served here.
"""

import asyncio
import gzip
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Final, Protocol

from sequencer.core.sends import PlainSends, SendReader
from sequencer.rpc.access import AccessRules, client_address
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.dispatcher import SEND, Dispatcher, Incoming
from sequencer.rpc.errors import too_many_requests
from sequencer.rpc.rates import RateLimiter
from sequencer.rpc.send_turn import PLAIN_BODY_BYTES, SendTurn

HEADER_LIMIT_BYTES: Final = 8 * 1024
"""A longer header is not of the shape; the general protocol judges it."""
HEADS_KEPT: Final = 256
"""A client sends the same header all day, but for the length: what was made of it last is kept."""
PLAIN_BYTES: Final = HEADER_LIMIT_BYTES + PLAIN_BODY_BYTES
"""A plain send is no longer, header and body."""
_ELSEWHERE: Final = frozenset(
    (b"transfer-encoding", b"content-encoding", b"expect", b"connection", b"upgrade", b"sec-websocket-key")
)
"""Headers that change how the body is read or what becomes of the connection."""
_SEND: Final = f'"{SEND}'.encode()
"""So begin the names of all methods that a ``SendReader`` may know."""
_KEEP_ALIVE: Final = b"keep-alive"
_NO_CONTENT: Final = b"HTTP/1.1 204 No Content\r\n"
_OK: Final = b"HTTP/1.1 200 OK\r\n"
_TOO_MANY: Final = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\n"
_GZIP: Final = b"Content-Encoding: gzip\r\nVary: Accept-Encoding, Origin\r\n"
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
    if data.count(b"\n", 0, end) != len(lines) - 1 or data.count(b"\r", 0, end) != len(lines) - 1:
        return None
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


_known_head = lru_cache(HEADS_KEPT)(parse_head)


class FastPaths:
    """What the short way needs to know, made once for a server."""

    def __init__(
        self,
        config: RpcConfig,
        access: AccessRules,
        dispatchers: Mapping[str, Dispatcher],
        rates: RateLimiter,
        reader: SendReader | None = None,
    ) -> None:
        self.config = config
        self.access = access
        self.dispatchers = dispatchers
        self.rates = rates
        self.turn = SendTurn(self, reader) if reader is not None else None
        self.serving: set[asyncio.Future[None]] = set()
        """Answers being made, for an orderly stop."""

    def serve(self, answering: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Run it; an orderly stop waits for it."""
        task = asyncio.get_running_loop().create_task(answering)
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        return task

    def cors(self, origin: str | None) -> bytes:
        """The header lines that let the page read the answer."""
        return "".join(f"{name}: {value}\r\n" for name, value in self.access.cors_headers(origin).items()).encode()


class Watch(Protocol):
    """What a connection's guard is told, so that deadlines hold on either way."""

    ip: str

    def request_started(self) -> None: ...
    def body_received(self) -> None: ...
    def request_received(self) -> None: ...
    def request_finished(self) -> None: ...


class Cancellable(Protocol):
    """An answer that is being made."""

    def cancel(self) -> object: ...


class FastPost(asyncio.Protocol):
    """One connection. ``make_general`` gives the protocol that takes over whatever is not of the shape.

    While ``_busy`` a request of it is being looked at or answered, and what comes in waits in the buffer.
    """

    __slots__ = (
        "_buffer",
        "_busy",
        "_ended",
        "_general",
        "_head",
        "_make_general",
        "_paths",
        "_paused",
        "_serving",
        "_transport",
        "_watch",
    )

    def __init__(self, paths: FastPaths, watch: Watch, make_general: Callable[[], asyncio.Protocol]) -> None:
        self._paths = paths
        self._watch = watch
        self._make_general = make_general
        self._general: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer: bytes | bytearray = b""
        self._paused = False
        self._head: PostHead | None = None
        self._busy = False
        self._ended = False
        self._serving: Cancellable | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Read on, or pass it on."""
        if self._general is not None:
            self._general.data_received(data)
            return
        if self._buffer:
            # Whole requests are kept as they came; only pieces have to grow.
            self._buffer = bytearray(self._buffer) if isinstance(self._buffer, bytes) else self._buffer
            self._buffer += data
        else:
            self._buffer = data
        if not self._busy:
            self._look()
        elif len(self._buffer) > self._paths.config.body_limit_bytes and self._transport is not None:
            # Requests sent ahead wait in the client's own memory beyond this.
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """The client will send no more; an answer under way is still written."""
        if self._general is not None:
            return self._general.eof_received()
        self._ended = True
        return self._busy

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for the answer any more."""
        self._transport = None
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

    # ------------------------------------------------------------------------------------ served with others

    def received(self) -> bytes:
        """What has come in and is not answered yet, as far as a plain send may reach."""
        return bytes(self._buffer[:PLAIN_BYTES])

    def client(self, request: PostHead | PlainSends) -> str:
        """The address that pays for the request."""
        proxies = self._paths.config.trusted_proxies
        return client_address(self._watch.ip, request.forwarded_for, proxies) if proxies else self._watch.ip

    def begin(self, size: int, serving: Cancellable | None = None) -> None:
        """The first ``size`` bytes are a request that is being answered."""
        self._serving = serving
        self._consume(size)
        self._watch.request_received()

    def answered(self, response: bytes) -> None:
        """The answer to it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)
            self._finish(self._transport)

    def answered_awaited(self, body: bytes, cors: bytes, accepts_gzip: bool) -> None:
        """The answer to one that waited for its promise, without its header."""
        self._serving = None
        if accepts_gzip and len(body) >= self._paths.config.gzip_threshold_bytes:
            self._serving = self._paths.serve(self._answer_compressed(body, cors))
        else:
            self.answered(_response(_OK, body, b"", cors))

    async def _answer_compressed(self, body: bytes, cors: bytes) -> None:
        compressed = await asyncio.to_thread(gzip.compress, body, 1)
        self._serving = None
        self.answered(_response(_OK, compressed, _GZIP, cors))

    def alone(self) -> None:
        """The request is not one of those."""
        self._busy = False
        if self._transport is None or self._transport.is_closing():
            return
        self._next()
        if self._ended and not self._busy and self._general is None:
            self._transport.close()

    # --------------------------------------------------------------------------------------------- served alone

    def _look(self) -> None:
        """Start on what is in the buffer."""
        if self._paths.turn is not None and self._head is None and _SEND in self._buffer:
            self._busy = True
            self._paths.turn.add(self)
        else:
            self._next()

    def _next(self) -> None:
        """Start on the request in the buffer if it is whole, or give the connection away."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                may_fit = b"POST /".startswith(bytes(self._buffer[:6])) and len(self._buffer) <= HEADER_LIMIT_BYTES
                if not may_fit:
                    self._give_away()
                return
            head = _known_head(bytes(self._buffer[: end + 4]))
            if head is None or not self._takes(head):
                self._give_away()
                return
            self._head = head
            self._watch.request_started()
        if len(self._buffer) >= self._head.body_end:
            self._busy = True
            self._watch.body_received()
            body = bytes(self._buffer[self._head.body_at : self._head.body_end])
            self._consume(self._head.body_end)
            head, self._head = self._head, None
            self._begin(head, body)

    def _consume(self, size: int) -> None:
        """The first ``size`` bytes are read. What was sent ahead is never copied more than once."""
        if size == len(self._buffer):
            self._buffer = b""
        else:
            self._buffer = self._buffer if isinstance(self._buffer, bytearray) else bytearray(self._buffer)
            del self._buffer[:size]

    def _takes(self, head: PostHead) -> bool:
        return (
            head.path in self._paths.dispatchers
            and head.body_end - head.body_at <= self._paths.config.body_limit_bytes
            and self._paths.access.host_allowed(head.host)
        )

    def _give_away(self) -> None:
        self._general = self._make_general()
        if self._transport is None:
            return
        self._general.connection_made(self._transport)
        data, self._buffer = bytes(self._buffer), b""
        self._general.data_received(data)
        if self._ended and not self._general.eof_received():
            self._transport.close()

    def _begin(self, head: PostHead, body: bytes) -> None:
        """Answer at once what can be, which saves a task; anything else is served in one."""
        dispatcher = self._paths.dispatchers[head.path]
        incoming = dispatcher.read(body)
        wait_s = self._paths.rates.take(self.client(head), dispatcher.cost(incoming), time.monotonic())
        answer: bytes | None
        if wait_s:
            answer, status = dispatcher.refuse(incoming, too_many_requests(wait_s)), _TOO_MANY % ceil(wait_s)
        else:
            answer, status = dispatcher.answer_now(incoming), _OK
        if answer is None or self._compresses(head, answer):
            self._serving = self._paths.serve(self._serve(head, incoming, answer, status))
        elif self._transport is not None:
            self._transport.write(_response(status, answer, b"", self._cors(head)))
            if self._buffer:  # sent ahead: everyone else gets a turn first
                asyncio.get_running_loop().call_soon(self._finish, self._transport)
            else:
                self._finish(self._transport)

    async def _serve(self, head: PostHead, incoming: Incoming, answer: bytes | None, status: bytes) -> None:
        if answer is None:
            answer = await self._paths.dispatchers[head.path].answer(incoming)
        if self._transport is None or self._transport.is_closing():
            return
        coding = b""
        if self._compresses(head, answer):
            answer = await asyncio.to_thread(gzip.compress, answer, 1)
            coding = _GZIP
        self._serving = None
        self._transport.write(_response(status, answer, coding, self._cors(head)))
        self._finish(self._transport)

    def _compresses(self, head: PostHead, answer: bytes) -> bool:
        return head.accepts_gzip and len(answer) >= self._paths.config.gzip_threshold_bytes

    def _finish(self, transport: asyncio.Transport) -> None:
        """The answer is written: go on with what came in meanwhile."""
        self._busy = False
        if transport.is_closing():
            return
        self._watch.request_finished()
        if self._paused:
            self._paused = False
            transport.resume_reading()
        if self._buffer:
            self._look()
        elif self._ended:
            transport.close()

    def _cors(self, head: PostHead) -> bytes:
        return b"" if head.origin is None else self._paths.cors(head.origin)


def _response(status: bytes, answer: bytes, coding: bytes, cors: bytes) -> bytes:
    if not answer:
        return _NO_CONTENT + cors + b"\r\n"
    return b"".join((status, _CONTENT % len(answer), coding, cors, b"\r\n", answer))
