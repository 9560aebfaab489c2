"""The operators' HTTP server: ``/metrics``, ``/livez``, ``/readyz`` and ``/healthz`` on a port of its own.

``/healthz`` is ``/readyz`` under the name that other systems use. A probe gets 200 or 503 and a JSON body
with the reasons.
"""

import errno
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from sequencer.core.errors import ConfigError, Temporary
from sequencer.telemetry.config import MetricsConfig
from sequencer.telemetry.health import Answer, Health
from sequencer.telemetry.metrics import ProcessMetrics


class TelemetryServer:
    """An async context manager: inside it the server answers at ``url``."""

    def __init__(self, config: MetricsConfig, registry: CollectorRegistry, health: Health, metrics: ProcessMetrics):
        self._config = config
        self._registry = registry
        self._health = health
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.port = config.port
        """The real port once the server has started."""

    @property
    def url(self) -> str:
        """Base address of the server, such as ``http://127.0.0.1:9464``."""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Start listening. Raises ``Temporary`` if the port is taken, ``ConfigError`` if it cannot be had at all."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._serve_metrics),
                web.get("/livez", self._serve_live),
                web.get("/readyz", self._serve_ready),
                web.get("/healthz", self._serve_ready),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._config.host, self._config.port).start()
        except OSError as error:
            await runner.cleanup()
            place = f"{self._config.host}:{self._config.port}"
            if error.errno == errno.EADDRINUSE:
                raise Temporary(f"cannot listen on {place} (metrics.port): address already in use") from None
            raise ConfigError("metrics.host", place, error.strerror or str(error)) from None
        self._runner = runner
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve_metrics(self, request: web.Request) -> web.Response:
        self._metrics.ready.set(self._health.ready().ok)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _serve_live(self, _request: web.Request) -> web.Response:
        return _answer(self._health.live())

    async def _serve_ready(self, _request: web.Request) -> web.Response:
        return _answer(self._health.ready())


def _answer(answer: Answer) -> web.Response:
    return web.json_response(answer.as_json(), status=200 if answer.ok else 503)
