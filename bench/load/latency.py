"""From submit to a verifiable, durable pre-confirmation in the client's hands, idle and under load.

Idle: one transaction at a time at a fixed rate; the peer is ``anvil`` automine, whose ``eth_sendRawTransactionSync``
answers unsigned and from memory. Under load: plain sends at half of the rate that the node has just shown as its most,
on a hundred connections, and beside them some that wait for the promise, which are measured; the peer is
``anvil --block-time 1`` under the same load, with the same call, which there waits for the receipt.
"""

import asyncio
import http.client
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench.load import server, throughput, work
from bench.load.client import post
from bench.load.paced import paced
from bench.load.server import CHAIN_ID, KEYS, Server
from sequencer.core.keccak import keccak256
from tests.wallet import Wallet

PROBES = 30
"""Connections that wait for what they sent."""
PROBE_SHARE = 0.1
"""Of all transactions under load."""
LOAD_S = 10
GAS_LIMIT = ("--gas-limit", "1000000000")
Start = Callable[[], AbstractContextManager[Server]]


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def _shown(latencies_ms: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(statistics.median(latencies_ms), 2),
        "p99": round(_percentile(latencies_ms, 0.99), 2),
        "max": round(max(latencies_ms), 2),
        "count": len(latencies_ms),
    }


def _sync_send(raw: bytes) -> bytes:
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransactionSync", "params": ["0x" + raw.hex()]}
    return json.dumps(call).encode()


# ------------------------------------------------------------------------------------------------------ idle


class _OneByOne:
    """A client that sends at a fixed rate and waits for each promise."""

    def __init__(self, running: Server) -> None:
        self._wallet = Wallet(KEYS[0], CHAIN_ID)
        self._connection = http.client.HTTPConnection(urlsplit(running.url).netloc)
        self._serial = 0

    def send(self, count: int, per_second: float) -> list[float]:
        """Milliseconds that each answer took."""
        latencies_ms = []
        due = time.perf_counter()
        for _ in range(count):
            due = max(due + 1 / per_second, time.perf_counter())
            self._serial += 1
            body = _sync_send(self._wallet.sign(to=self._serial.to_bytes(20, "big"), value=1))
            time.sleep(max(due - time.perf_counter(), 0))
            begun = time.perf_counter()
            self._connection.request("POST", "/", body, {"content-type": "application/json"})
            answer = self._connection.getresponse().read()
            latencies_ms.append((time.perf_counter() - begun) * 1000)
            if b'"error"' in answer:
                raise RuntimeError(answer[:300].decode())
        return latencies_ms


def idle(servers: dict[str, Start], per_second: float, count: int, rounds: int = 6) -> dict[str, Any]:
    """All servers run side by side, and each round asks them in turn."""
    found: dict[str, list[float]] = {name: [] for name in servers}
    with _all(servers) as running:
        clients = {name: _OneByOne(each) for name, each in running.items()}
        for client in clients.values():
            client.send(10, per_second)
        for _ in range(rounds):
            for name, client in clients.items():
                found[name] += client.send(count // rounds, per_second)
    return {name: _shown(latencies_ms) for name, latencies_ms in found.items()}


@contextmanager
def _all(servers: dict[str, Start], started: dict[str, Server] | None = None) -> Iterator[dict[str, Server]]:
    started = {} if started is None else started
    if len(started) == len(servers):
        yield started
        return
    name = list(servers)[len(started)]
    with servers[name]() as running:
        started[name] = running
        with _all(servers, started) as everything:
            yield everything


# ------------------------------------------------------------------------------------------------- under load


def loaded(start: Start, per_second: float, seconds: float = LOAD_S) -> dict[str, Any]:
    """Latencies of the sends that wait, while all sends together make ``per_second``."""
    with start() as running:
        wallets = work.senders(running)
        probes = [Wallet(keccak256(b"probe" + bytes([index])), CHAIN_ID) for index in range(PROBES)]
        work.fund(running, probes)
        plain_rate, probe_rate = per_second * (1 - PROBE_SHARE), per_second * PROBE_SHARE
        lanes = work.WORK["single"].load(running, wallets, int(plain_rate * seconds)).lanes
        waiting = [
            [
                post(running.url, _sync_send(probe.sign(to=b"\x07" * 20)))
                for _ in range(int(probe_rate * seconds / PROBES))
            ]
            for probe in probes
        ]
        latencies_ms, late = uvloop.run(_measure(running.url, lanes, plain_rate, waiting, probe_rate))
    warm = latencies_ms[len(latencies_ms) // 10 :]
    return {**_shown(warm), "late": late}


async def _measure(
    url: str, lanes: Sequence[Sequence[bytes]], rate: float, probes: Sequence[Sequence[bytes]], probe_rate: float
) -> tuple[list[float], int]:
    """The probes go on as long as the load does."""
    async with paced(url, lanes, rate) as load, paced(url, probes, probe_rate) as measured:
        await load.through()
        return list(measured.answers.latencies_ms), load.answers.late


def run(engine: str = "auto", count: int = 300) -> dict[str, Any]:
    """Every number of the table: medians at 10 a second, tails at 100 and at half of the most, the distance to
    anvil's receipt, and what signing takes of the CPU."""
    servers: dict[str, Start] = {
        "node": lambda: server.node(engine, core=None),
        "anvil automine": lambda: server.anvil(core=None),
    }
    ten, hundred = idle(servers, 10, count), idle(servers, 100, count * 4)
    ratio = round(ten["node"]["p50"] / ten["anvil automine"]["p50"], 2)
    result: dict[str, Any] = {"tenPerSecond": {**ten, "ratioOfMedians": ratio}, "hundredPerSecond": hundred}
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {server.CLIENT_CORE})
    try:
        result |= _under_load(engine)
    finally:
        os.sched_setaffinity(0, affinity)
    return result


def _under_load(engine: str) -> dict[str, Any]:
    most = throughput.measure(lambda: server.node(engine, *GAS_LIMIT), work.WORK["single"], 30_000)
    half = most["perSecond"] / 2
    node = loaded(lambda: server.node(engine, *GAS_LIMIT), half)
    anvil = loaded(lambda: server.anvil("--block-time", "1", *GAS_LIMIT), half)
    return {
        "atMost": {"perSecond": round(most["perSecond"]), "signingShareOfCpu": round(most["signingShareOfCpu"], 4)},
        "atHalf": {
            "perSecond": round(half),
            "node": node,
            "anvil receipt": anvil,
            "receiptByPromise": round(anvil["p50"] / node["p50"], 1),
        },
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asyncio.to_thread(run)), indent=1))
