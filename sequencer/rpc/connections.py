"""Deadlines and caps of TCP connections, which the HTTP library lacks.

``GuardedConnection`` stands between the transport and the HTTP protocol and knows in which phase the
connection is. Each phase has a deadline; ``ConnectionTable.sweep`` closes what is overdue. One sweep over
all connections is cheaper than a timer per request.

::

    HEADER --request_started--> BODY --body_received--> BUSY --request_finished--> IDLE --bytes--> HEADER
                                                         |
                                                      upgraded --> STREAM (WebSocket; only the write deadline)

A client that does not read what it is sent is cut off after the write deadline, in any phase. When the
table is full, the connection that has waited longest without ever completing a request makes room, so half
open sockets cannot keep users out.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import Final, cast

from sequencer.rpc.config import RpcConfig
from sequencer.rpc.metrics import RpcMetrics

_TIMEOUT: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"


class Phase(Enum):
    """What the connection is doing."""

    HEADER = "header"
    BODY = "body"
    BUSY = "busy"
    IDLE = "idle"
    STREAM = "stream"


_HEADER, _BODY, _BUSY, _IDLE, _STREAM = Phase
"""Members by names of their own: looking one up in its class takes longer than all else that a method here does."""


class ConnectionTable:
    """All connections of the server. ``clock`` gives seconds, monotonic."""

    def __init__(self, config: RpcConfig, metrics: RpcMetrics, clock: Callable[[], float]) -> None:
        self.config = config
        self.clock = clock
        self.limit = config.connection_limit
        """Connections in all; lower than the setting where the process may not have as many files."""
        self._metrics = metrics
        self._open: set[GuardedConnection] = set()
        self._untried: dict[GuardedConnection, None] = {}
        self._per_ip: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: "GuardedConnection", ip: str) -> bool:
        """Take the connection in, closing an older one that never sent a request if there is no room."""
        limit = self.config.connection_limit_per_ip
        if limit and self._per_ip[ip] >= limit:
            self._metrics.refused.labels("ip_limit").inc()
            return False
        if len(self._open) >= self.limit:
            oldest = next(iter(self._untried), None)
            self._metrics.refused.labels("limit").inc()
            if oldest is None:
                return False
            self.remove(oldest)
            oldest.abort()
        self._open.add(connection)
        self._untried[connection] = None
        self._per_ip[ip] += 1
        self._metrics.connections.set(len(self._open))
        return True

    def proven(self, connection: "GuardedConnection") -> None:
        """It sent a complete request header."""
        self._untried.pop(connection, None)

    def remove(self, connection: "GuardedConnection") -> None:
        """It is closed, or about to be."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self._untried.pop(connection, None)
        self._per_ip[connection.ip] -= 1
        if not self._per_ip[connection.ip]:
            del self._per_ip[connection.ip]
        self._metrics.connections.set(len(self._open))

    def sweep(self) -> None:
        """Close every connection whose phase has lasted too long."""
        now = self.clock()
        for connection in list(self._open):
            if now >= connection.write_deadline:
                self._metrics.refused.labels("write_timeout").inc()
                connection.abort()
            elif now >= connection.deadline:
                self._metrics.refused.labels(f"{connection.phase.value}_timeout").inc()
                connection.expire()

    def abort_all(self) -> None:
        """Cut every connection at once."""
        for connection in list(self._open):
            connection.abort()


class GuardedConnection(asyncio.Protocol):
    """One connection: passes everything on to the HTTP protocol and keeps the deadlines."""

    __slots__ = (
        "_inner",
        "_make_inner",
        "_proven",
        "_table",
        "_transport",
        "deadline",
        "ip",
        "phase",
        "write_deadline",
    )

    def __init__(self, table: ConnectionTable, make_inner: "Callable[[GuardedConnection], asyncio.Protocol]") -> None:
        self._table = table
        self._make_inner = make_inner
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._proven = False
        self.ip = ""
        self.phase = Phase.HEADER
        self.deadline = inf
        self.write_deadline = inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection or turn it away."""
        transport = cast("asyncio.Transport", transport)  # uvloop's have another base class
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.ip = peer[0] if isinstance(peer, tuple) else ""
        if not self._table.admit(self, self.ip):
            self._transport.write(_FULL)
            self._transport.close()
            return
        self.deadline = self._table.clock() + self._table.config.header_timeout_s
        self._inner = self._make_inner(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on; the first bytes after an idle time begin a request."""
        if self._inner is None:
            return
        if self.phase is _IDLE:
            self.phase = _HEADER
            self.deadline = self._table.clock() + self._table.config.header_timeout_s
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self._inner is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it and pass it on."""
        self._table.remove(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is sent."""
        self.write_deadline = self._table.clock() + self._table.config.write_timeout_s
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.write_deadline = inf
        if self._inner is not None:
            self._inner.resume_writing()

    def request_started(self) -> None:
        """A complete header has arrived."""
        if not self._proven:
            self._prove()
        self.phase = _BODY
        self.deadline = self._table.clock() + self._table.config.body_timeout_s

    def request_received(self) -> None:
        """A complete header and body have arrived, at once."""
        if not self._proven:
            self._prove()
        self.phase = _BUSY
        self.deadline = inf

    def body_received(self) -> None:
        """The body is complete; how long the work takes is bounded elsewhere."""
        self.phase = _BUSY
        self.deadline = inf

    def request_finished(self) -> None:
        """The response is made."""
        if self.phase is not _STREAM:
            self.phase = _IDLE
            self.deadline = self._table.clock() + self._table.config.idle_timeout_s

    def _prove(self) -> None:
        self._proven = True
        self._table.proven(self)

    def upgraded(self) -> None:
        """It is a WebSocket from now on."""
        self.phase = Phase.STREAM
        self.deadline = inf

    def expire(self) -> None:
        """Close it for being late, with a status while the client still waits for one."""
        self.deadline = inf
        if self._transport is None:
            return
        if self.phase in (Phase.HEADER, Phase.BODY):
            self._transport.write(_TIMEOUT)
        self._transport.close()
        # A client that does not even read this is cut off by the write deadline.
        self.write_deadline = min(self.write_deadline, self._table.clock() + 1.0)

    def abort(self) -> None:
        """Cut it off."""
        if self._transport is not None:
            self._transport.abort()
