"""The JSON-RPC server: one port, HTTP and WebSocket, any number of chains.

::

    POST /                      JSON-RPC of the default chain          GET / with Upgrade   its WebSocket
    POST /chain/<chainId>       JSON-RPC of that chain                 GET /chain/<chainId> with Upgrade
    GET  /<anything mounted>    health, pages
"""

import asyncio
import platform
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

import structlog
from aiohttp import web

from sequencer.core.errors import Fatal, Temporary
from sequencer.core.sends import SendReader, SendReaderFactory
from sequencer.rpc.access import AccessRules
from sequencer.rpc.backend import Backend
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.connections import ConnectionTable, GuardedConnection
from sequencer.rpc.descriptors import allow_connections
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.rpc.fast_post import FastPaths, FastPost
from sequencer.rpc.filters import FilterRegistry
from sequencer.rpc.http import Endpoint, HttpFront, Route
from sequencer.rpc.methods.table import METHODS
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.rates import RateLimiter
from sequencer.rpc.send_turn import PLAIN_BODY_BYTES
from sequencer.rpc.subscriptions import SubscriptionHub

_log = structlog.get_logger()

_BACKLOG: Final = 1024
_DISTRIBUTION: Final = "rollup-sequencer"
_FOR_GOOD_S: Final = 10 * 365 * 86_400


class RpcServer:
    """Serves ``default`` at ``/`` and every chain of ``chains`` at ``/chain/<chainId>``.

    ``start`` binds, ``run`` serves until it is cancelled and then stops cleanly: no new connections, requests
    in flight finish within ``stop_timeout_s``, WebSockets are told goodbye. A ``Fatal`` error inside a
    handler leaves ``run``.
    """

    def __init__(
        self,
        config: RpcConfig,
        default: Backend,
        metrics: RpcMetrics,
        *,
        chains: Mapping[int, Backend] | None = None,
        routes: Mapping[str, Route] | None = None,
        sends: SendReaderFactory | None = None,
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._default = default
        self._chains = {default.spec.chain_id: default, **(chains or {})}
        self._routes = dict(routes or {})
        self._sends = sends
        self._table = ConnectionTable(config, metrics, time.monotonic)
        self._endpoints: dict[str, Endpoint] = {}
        self._front: HttpFront | None = None
        self._http: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._fatal: asyncio.Future[None] | None = None
        self._paths: FastPaths

    async def start(self) -> tuple[str, int]:
        """Bind and accept. Returns host and port. Raises ``Temporary`` when the address is taken."""
        loop = asyncio.get_running_loop()
        self._fatal = loop.create_future()
        by_chain = {chain_id: self._endpoint(backend) for chain_id, backend in self._chains.items()}
        self._endpoints = {f"/chain/{chain_id}": endpoint for chain_id, endpoint in by_chain.items()}
        self._endpoints["/"] = by_chain[self._default.spec.chain_id]
        dispatchers = {path: endpoint.dispatcher for path, endpoint in self._endpoints.items()}
        rates = RateLimiter(self._config.rate_limit_per_ip, self._config.rate_burst_s)
        self._paths = FastPaths(self._config, AccessRules(self._config), dispatchers, rates, self._reader())
        self._front = HttpFront(self._config, self._metrics, self._endpoints, self._routes, rates)
        self._table.limit = allow_connections(self._config.connection_limit)
        if self._table.limit < self._config.connection_limit:
            _log.warning("the limit of open files leaves room for fewer connections", connections=self._table.limit)
        self._http = web.Server(
            self._front.handle,
            request_factory=self._make_request,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_FOR_GOOD_S,
            lingering_time=2.0,
        )
        try:
            self._listener = await loop.create_server(
                self._make_connection, self._config.host, self._config.port, backlog=_BACKLOG
            )
        except OSError as error:
            raise Temporary(f"cannot listen on {self._config.host}:{self._config.port}: {error.strerror}") from error
        host, port = self._listener.sockets[0].getsockname()[:2]
        _log.info("rpc listening", host=host, port=port, chains=sorted(self._chains))
        return host, port

    async def run(self) -> None:
        """Serve until cancelled; binds first if ``start`` was not called."""
        if self._listener is None:
            await self.start()
        try:
            async with asyncio.TaskGroup() as group:
                for endpoint in {id(e): e for e in self._endpoints.values()}.values():
                    group.create_task(endpoint.hub.run())
                group.create_task(self._sweep())
                group.create_task(self._wait_fatal())
        finally:
            await self._stop()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[tuple[str, int]]:
        """A running server for the length of a block; yields host and port."""
        address = await self.start()
        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self.run())
                yield address
                running.cancel()
        finally:
            # A task that is cancelled before its first step never reaches its own clean-up.
            await self._stop()

    def _endpoint(self, backend: Backend) -> Endpoint:
        config = self._config
        chain = ServedChain(
            backend,
            config,
            FilterRegistry(config.filter_limit, round(config.filter_timeout_s * 1000), config.filter_results_limit),
            now_ms=lambda: time.monotonic_ns() // 1_000_000,
            new_id=lambda: secrets.randbits(127) | 1 << 127,
            client_version=config.client_version or _client_version(),
            method_names=tuple(METHODS),
        )
        dispatcher = Dispatcher(chain, self._metrics, self._on_fatal)
        return Endpoint(chain, dispatcher, SubscriptionHub(chain, self._metrics))

    def _reader(self) -> SendReader | None:
        config = self._config
        if self._sends is None:
            return None
        return self._sends(
            body_limit=min(config.body_limit_bytes, PLAIN_BODY_BYTES),
            batch_limit=min(config.batch_limit, config.batch_cost_limit),
            gzip_threshold=config.gzip_threshold_bytes,
            answer_limit=config.response_limit_bytes,
        )

    def _make_connection(self) -> GuardedConnection:
        assert self._http is not None  # noqa: S101 - connections are made after start only
        paths, general = self._paths, self._http
        return GuardedConnection(self._table, lambda guard: FastPost(paths, guard, general))

    def _make_request(self, message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
        loop = asyncio.get_running_loop()
        limit = self._config.body_limit_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limit)

    def _on_fatal(self, error: Fatal) -> None:
        if self._fatal is not None and not self._fatal.done():
            self._fatal.set_exception(error)

    async def _wait_fatal(self) -> None:
        assert self._fatal is not None  # noqa: S101 - made by start
        await self._fatal

    async def _sweep(self) -> None:
        """Enforce deadlines, with a tolerance of a quarter of the shortest one."""
        config = self._config
        shortest = min(config.header_timeout_s, config.body_timeout_s, config.idle_timeout_s, config.write_timeout_s)
        while True:
            await asyncio.sleep(min(1.0, shortest / 4))
            self._table.sweep()

    async def _stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None or self._http is None or self._front is None:
            return
        listener.close()
        self._front.stop_websockets()
        if self._paths.serving:
            await asyncio.wait(self._paths.serving, timeout=self._config.stop_timeout_s)
        self._http.pre_shutdown()
        await self._http.shutdown(self._config.stop_timeout_s)
        self._table.abort_all()


def _client_version() -> str:
    """In the form that clients expect: name/version/platform/language."""
    system = f"{sys.platform}-{platform.machine()}"
    language = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return f"{_DISTRIBUTION}/v{version(_DISTRIBUTION)}/{system}/{language}"
