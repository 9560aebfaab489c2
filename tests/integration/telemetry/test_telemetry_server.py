"""The operators' server, asked over real HTTP."""

import asyncio

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from sequencer.core.errors import ConfigError, Temporary
from sequencer.telemetry.config import MetricsConfig
from sequencer.telemetry.health import STARTING, Health
from sequencer.telemetry.metrics import ProcessMetrics, version
from sequencer.telemetry.server import TelemetryServer


def server() -> tuple[TelemetryServer, Health, ProcessMetrics]:
    registry, health = CollectorRegistry(), Health()
    metrics = ProcessMetrics(registry)
    return TelemetryServer(MetricsConfig(port=0), registry, health, metrics), health, metrics


async def test_probes_answer_with_reasons() -> None:
    telemetry, health, _ = server()
    async with telemetry, aiohttp.ClientSession(telemetry.url) as client:
        assert telemetry.port != 0
        async with client.get("/livez") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok", "reasons": {}})
        for path in ("/readyz", "/healthz"):
            async with client.get(path) as answer:
                assert answer.status == 503
                assert STARTING in (await answer.json())["reasons"]
        health.clear(STARTING)
        async with client.get("/readyz") as answer:
            assert answer.status == 200
        health.fault("log", "sync failed")
        async with client.get("/livez") as answer:
            assert answer.status == 503


async def test_metrics_are_what_prometheus_reads() -> None:
    telemetry, health, metrics = server()
    metrics.describe_build("reference", "prague")
    async with telemetry, aiohttp.ClientSession(telemetry.url) as client:
        async with client.get("/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
        build = families["sequencer_build_info"].samples[0]
        assert (build.value, build.labels["version"], build.labels["engine"], build.labels["fork"]) == (
            1.0,
            version(),
            "reference",
            "prague",
        )
        assert families["sequencer_ready"].samples[0].value == 0
        assert "process_resident_memory_bytes" in families
        assert "sequencer_event_loop_lag_seconds" in families
        health.clear(STARTING)
        async with client.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            assert "sequencer_ready 1.0" in await answer.text()


async def test_a_port_in_use_may_become_free() -> None:
    telemetry, _, _ = server()
    async with telemetry:
        other = TelemetryServer(MetricsConfig(port=telemetry.port), CollectorRegistry(), Health(), server()[2])
        with pytest.raises(Temporary, match="address already in use"):
            async with other:
                pass


async def test_an_address_that_is_not_ours_is_a_configuration_error() -> None:
    config = MetricsConfig(host="192.0.2.1", port=0)  # of RFC 5737: no machine has it
    telemetry = TelemetryServer(config, CollectorRegistry(), Health(), server()[2])
    with pytest.raises(ConfigError) as caught:
        async with telemetry:
            pass
    assert caught.value.key == "metrics.host"


async def test_the_lag_of_the_event_loop_is_measured() -> None:
    registry = CollectorRegistry()
    metrics = ProcessMetrics(registry)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(metrics.watch_loop(interval_s=0.001), timeout=0.5)
    assert registry.get_sample_value("sequencer_event_loop_lag_seconds_count")


async def test_nothing_listens_after_the_end() -> None:
    telemetry, _, _ = server()
    async with telemetry:
        port = telemetry.port
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
