"""Metrics of the process as a whole: which build runs, and how far the event loop lags."""

import asyncio
import platform
from importlib import metadata
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

LAG_INTERVAL_S: Final = 0.1


class ProcessMetrics:
    """Build, readiness and event-loop lag, with the standard collectors for process and garbage collection."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._build = Gauge(
            "sequencer_build_info",
            "Which build runs; always 1",
            ("version", "engine", "fork", "python"),
            registry=registry,
        )
        self.ready = Gauge("sequencer_ready", "1 while /readyz answers 200", registry=registry)
        self.lag = Histogram(
            "sequencer_event_loop_lag_seconds",
            "How late the event loop wakes a task whose time has come",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
            registry=registry,
        )
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def describe_build(self, engine: str, fork: str) -> None:
        """Set the labels of ``sequencer_build_info`` once engine and fork are known."""
        self._build.clear()
        self._build.labels(version(), engine, fork, platform.python_version()).set(1)

    async def watch_loop(self, interval_s: float = LAG_INTERVAL_S) -> None:
        """Measure the event loop's lag until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + interval_s
            await asyncio.sleep(interval_s)
            self.lag.observe(max(loop.time() - due, 0.0))


def version() -> str:
    """The version of the installed distribution; a source tree that is not installed has none."""
    try:
        return metadata.version("rollup-sequencer")
    except metadata.PackageNotFoundError:
        return "0.0.0+source"
