"""HTTP around the dispatcher: routes, access rules, sizes, compression, and the upgrade to WebSocket."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Final, TypeAlias

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from sequencer.rpc.access import AccessRules, client_address
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.connections import GuardedConnection
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.rpc.errors import too_many_requests
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.rates import RateLimiter
from sequencer.rpc.subscriptions import SubscriptionHub
from sequencer.rpc.websocket import WebSocketSession

Route: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Answers GET requests of one path that is not JSON-RPC: health, pages."""

_GREETING: Final = "This is a JSON-RPC endpoint: POST requests here, or open a WebSocket.\n"
_THREADED_COMPRESSION_BYTES: Final = 128 * 1024
"""From this size on compressing would hold up the event loop."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One chain behind one path."""

    chain: ServedChain
    dispatcher: Dispatcher
    hub: SubscriptionHub


class HttpFront:
    """Answers every HTTP request of the port."""

    def __init__(
        self,
        config: RpcConfig,
        metrics: RpcMetrics,
        endpoints: Mapping[str, Endpoint],
        routes: Mapping[str, Route],
        rates: RateLimiter,
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._endpoints = endpoints
        self._routes = routes
        self._access = AccessRules(config)
        self._rates = rates
        self._sessions: set[WebSocketSession] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response to one request, within the deadlines of its connection."""
        connection = request.transport.get_protocol() if request.transport is not None else None
        if not isinstance(connection, GuardedConnection):
            raise ConnectionResetError("the client is gone")
        connection.request_started()
        try:
            return await self._respond(request, connection)
        finally:
            connection.request_finished()

    def stop_websockets(self) -> None:
        """Tell every WebSocket that the server stops."""
        for session in list(self._sessions):
            session.stop()

    async def _respond(self, request: web.BaseRequest, connection: GuardedConnection) -> web.StreamResponse:
        if not self._access.host_allowed(request.headers.get("Host")):
            return _refusal(403, "invalid host specified\n")
        endpoint = self._endpoints.get(request.path)
        if endpoint is None:
            return await self._respond_elsewhere(request, connection)
        match request.method:
            case "POST":
                return await self._respond_post(request, connection, endpoint)
            case "OPTIONS":
                return self._respond_preflight(request)
            case "GET" if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._serve_websocket(request, connection, endpoint)
            case "GET" | "HEAD":
                return web.Response(text=_GREETING)
        return _refusal(405, "method not allowed\n", {"Allow": "POST, GET, OPTIONS"})

    async def _respond_elsewhere(self, request: web.BaseRequest, connection: GuardedConnection) -> web.StreamResponse:
        route = self._routes.get(request.path)
        if route is None:
            return _refusal(404, "not found\n")
        if request.method not in ("GET", "HEAD"):
            return _refusal(405, "method not allowed\n", {"Allow": "GET"})
        connection.body_received()
        return await route(request)

    async def _respond_post(
        self, request: web.BaseRequest, connection: GuardedConnection, endpoint: Endpoint
    ) -> web.Response:
        headers = request.headers
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            return _refusal(415, "compressed requests are not accepted\n")
        cors = self._access.cors_headers(headers.get("Origin"))
        length = request.content_length
        if length is not None and length > self._config.body_limit_bytes:
            return _refusal(413, "request body too large\n", cors)
        if headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, "request body too large\n", cors)
        except (web.RequestPayloadError, HttpProcessingError):
            return _refusal(400, "broken request body\n", cors)
        connection.body_received()
        dispatcher = endpoint.dispatcher
        parsed = dispatcher.read(body)
        wait_s = self._take(self._client(request, connection), dispatcher.cost(parsed))
        if wait_s:
            refusal = dispatcher.refuse(parsed, too_many_requests(wait_s))
            return web.Response(
                status=429,
                body=refusal,
                content_type="application/json",
                headers={**cors, "Retry-After": str(ceil(wait_s))},
            )
        answer = dispatcher.answer_now(parsed)
        if answer is None:
            answer = await dispatcher.answer(parsed)
        if not answer:
            return web.Response(status=204, headers=cors)
        return await self._json_response(answer, cors, headers.get("Accept-Encoding", ""))

    def _client(self, request: web.BaseRequest, connection: GuardedConnection) -> str:
        proxies = self._config.trusted_proxies
        if not proxies:
            return connection.ip
        return client_address(connection.ip, ",".join(request.headers.getall("X-Forwarded-For", ())), proxies)

    def _take(self, client: str, cost: int) -> float:
        return self._rates.take(client, cost, time.monotonic())

    async def _json_response(self, answer: bytes, cors: Mapping[str, str], accepted: str) -> web.Response:
        if len(answer) < self._config.gzip_threshold_bytes or "gzip" not in accepted:
            return web.Response(body=answer, content_type="application/json", headers=cors)
        if len(answer) < _THREADED_COMPRESSION_BYTES:
            body = gzip.compress(answer, 1)
        else:
            body = await asyncio.to_thread(gzip.compress, answer, 1)
        headers = {**cors, "Content-Encoding": "gzip", "Vary": "Accept-Encoding, Origin"}
        return web.Response(body=body, content_type="application/json", headers=headers)

    def _respond_preflight(self, request: web.BaseRequest) -> web.Response:
        private = request.headers.get("Access-Control-Request-Private-Network") == "true"
        headers = self._access.preflight_headers(request.headers.get("Origin"), private_network=private)
        return web.Response(status=204, headers=headers)

    async def _serve_websocket(
        self, request: web.BaseRequest, connection: GuardedConnection, endpoint: Endpoint
    ) -> web.StreamResponse:
        if not self._access.origin_allowed(request.headers.get("Origin")):
            return _refusal(403, "origin not allowed\n")
        if len(self._sessions) >= self._config.ws_connection_limit:
            return _refusal(503, "too many WebSocket connections\n")
        socket = web.WebSocketResponse(
            timeout=2.0,
            heartbeat=self._config.ws_ping_interval_s,
            compress=False,
            max_msg_size=self._config.ws_frame_limit_bytes,
        )
        if not socket.can_prepare(request):
            return _refusal(400, "not a WebSocket handshake\n")
        await socket.prepare(request)
        connection.upgraded()
        take = partial(self._take, self._client(request, connection))
        session = WebSocketSession(socket, endpoint.chain, endpoint.dispatcher, endpoint.hub, self._metrics, take)
        self._sessions.add(session)
        try:
            with suppress(ConnectionError):
                await session.run()
        finally:
            self._sessions.discard(session)
        return socket


def _refusal(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    response = web.Response(status=status, text=text, headers=headers)
    # Whatever else the client has sent on this connection is not worth reading.
    response.force_close()
    return response
