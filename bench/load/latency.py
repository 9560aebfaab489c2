"""From submit to a verifiable, durable pre-confirmation in the client's hands, one transaction at a time.

The peer is ``anvil`` automine, whose ``eth_sendRawTransactionSync`` answers unsigned and from memory.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from bench.load import server
from bench.load.server import CHAIN_ID, KEYS, Server
from tests.wallet import Wallet


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def measure(start: Callable[[], AbstractContextManager[Server]], count: int, per_second: float) -> dict[str, float]:
    """Latencies in milliseconds at a fixed rate."""
    with start() as running:
        wallet = Wallet(KEYS[0], CHAIN_ID)
        connection = http.client.HTTPConnection(urlsplit(running.url).netloc)
        latencies = []
        due = time.perf_counter()
        for serial in range(count + 5):
            due = max(due + 1 / per_second, time.perf_counter())
            raw = wallet.sign(to=serial.to_bytes(20, "big"), value=1)
            body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransactionSync", "params": ["0x" + raw.hex()]}
            encoded = json.dumps(body).encode()
            time.sleep(max(due - time.perf_counter(), 0))
            begun = time.perf_counter()
            connection.request("POST", "/", encoded, {"content-type": "application/json"})
            answer = connection.getresponse().read()
            latencies.append((time.perf_counter() - begun) * 1000)
            if b'"error"' in answer:
                raise RuntimeError(answer[:300].decode())
        connection.close()
        warm = latencies[5:]
        return {"p50": statistics.median(warm), "p99": _percentile(warm, 0.99), "max": max(warm)}


def run(engine: str = "auto", count: int = 300) -> dict[str, Any]:
    """The node on ``engine`` and on the reference engine, and anvil, at 10 and 100 transactions a second."""
    result: dict[str, Any] = {"transactions": count}
    engines = dict.fromkeys((engine, "reference"))
    for per_second in (10, 100):
        name = f"{per_second}PerSecond"
        result[name] = {}
        for each in engines:
            result[name][f"node {each}"] = measure(lambda each=each: server.node(each, core=None), count, per_second)
        result[name]["anvil automine"] = measure(lambda: server.anvil(core=None), count, per_second)
    return result
