"""Slots, metrics, and access rules."""

import asyncio

import orjson
import pytest
from prometheus_client import CollectorRegistry

from sequencer.rpc.access import AccessRules
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.errors import RpcError
from sequencer.rpc.limits import Gate
from sequencer.rpc.metrics import OTHER, RpcMetrics
from tests.unit.rpc.calling import ask, result
from tests.unit.rpc.sample_chain import dispatcher, sample_backend, signed


async def test_a_gate_lets_few_through_few_wait_and_refuses_the_rest() -> None:
    gate = Gate("call", slots=2, waiting_limit=1)
    release = asyncio.Event()
    inside = 0

    async def visit() -> None:
        nonlocal inside
        async with gate:
            inside += 1
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(visit())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert inside == 2
        with pytest.raises(RpcError, match="too many call requests") as refused:
            async with gate:
                pass
        assert refused.value.code == -32005
        release.set()
    assert inside == 3


async def test_a_waiter_that_gives_up_frees_its_place() -> None:
    gate = Gate("call", slots=1, waiting_limit=1)
    async with gate:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), gate:
                pass
        waiting = asyncio.ensure_future(gate.__aenter__())
        await asyncio.sleep(0)
    await waiting
    await gate.__aexit__(None, None, None)


async def test_calls_never_hold_up_sends() -> None:
    backend = sample_backend()
    backend.hold = asyncio.Event()
    served = dispatcher(backend, call_slots=2, waiting_limit=3)
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{}]}
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(served.respond(orjson.dumps(call))) for _ in range(9)]
        await asyncio.sleep(0)
        assert await result(served, "eth_sendRawTransaction", "0x" + signed(9).raw.hex()) == "0x" + signed(9).hash.hex()
        assert await result(served, "eth_getBalance", "0x" + "11" * 20) == "0x0"
        backend.hold.set()
    codes = [orjson.loads(task.result()).get("error", {}).get("code") for task in calls]
    assert codes.count(None) == 5
    assert codes.count(-32005) == 4


async def test_metrics_name_known_methods_only() -> None:
    registry = CollectorRegistry()
    served = dispatcher(sample_backend())
    served._metrics = RpcMetrics(registry)
    await ask(served, "eth_chainId")
    await ask(served, "eth_getBalance")
    await ask(served, "eth_" + "x" * 50)
    await served.respond(b"{")

    def count(method: str, code: str) -> float | None:
        return registry.get_sample_value("sequencer_rpc_requests_total", {"method": method, "code": code})

    assert count("eth_chainId", "0") == 1
    assert count("eth_getBalance", "-32602") == 1
    assert count(OTHER, "-32601") == 1
    assert count(OTHER, "-32700") == 1
    seen = {s.labels["method"] for metric in registry.collect() for s in metric.samples if "method" in s.labels}
    assert seen == {"eth_chainId", "eth_getBalance", OTHER}


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (None, True),
        ("", True),
        ("localhost", True),
        ("localhost:8545", True),
        ("localhost.", True),
        ("127.0.0.1", True),
        ("127.0.0.1:8545", True),
        ("[::1]:8545", True),
        ("[::1]", True),
        ("::1", False),
        ("rpc.example", True),
        ("RPC.EXAMPLE:443", True),
        ("evil.example", False),
        ("localhost.evil", False),
        ("evil:localhost", False),
    ],
)
def test_hosts(header: str | None, allowed: bool) -> None:
    rules = AccessRules(RpcConfig(allowed_hosts=("localhost", "rpc.example")))
    assert rules.host_allowed(header) is allowed
    assert AccessRules(RpcConfig(allowed_hosts=("*",))).host_allowed(header)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://app.example", True),
        ("https://APP.example/", True),
        ("https://evil.example", False),
        ("null", False),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    rules = AccessRules(RpcConfig(cors_origins=("https://app.example",)))
    assert rules.origin_allowed(origin) is allowed
    assert bool(rules.cors_headers(origin)) is (allowed and origin is not None)
    assert AccessRules(RpcConfig()).origin_allowed(origin)


async def test_a_slot_that_is_free_is_had_at_once() -> None:
    gate = Gate("call", slots=1, waiting_limit=0)
    assert gate.enter_now()
    assert not gate.enter_now()
    with pytest.raises(RpcError):
        async with gate:
            pass
    gate.leave()
    async with gate:
        assert not gate.enter_now()
    assert gate.enter_now()
