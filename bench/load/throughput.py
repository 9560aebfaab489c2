"""Included transactions a second, and what each costs the server in CPU, against ``anvil --block-time 1``.

A hundred funded accounts; each connection carries the transactions of one account in nonce order, so nothing
waits for a gap. A round ends when every transaction is included in a block. Both servers run in turn on one core,
the client on the other.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import uvloop

from bench.load import server
from bench.load.client import send_lanes
from bench.load.server import Server
from bench.load.work import WORK, Work, senders
from sequencer.core.types import Hash32

GAS_LIMIT = ("--gas-limit", "1000000000")


def measure(start: Callable[[], AbstractContextManager[Server]], work: Work, count: int) -> dict[str, float]:
    """One round on a fresh server. Gas is that of one transaction, which all others resemble."""
    with start() as running:
        wallets = senders(running)
        load = work.load(running, wallets, count)
        signing = _signing_seconds(running)
        cpu, begun = running.cpu_seconds(), time.perf_counter()
        uvloop.run(send_lanes(running.url, load.lanes))
        for wallet in wallets:
            while int(running.rpc("eth_getTransactionCount", "0x" + wallet.address.hex(), "latest"), 16) < wallet.nonce:
                time.sleep(0.01)
        elapsed, used = time.perf_counter() - begun, running.cpu_seconds() - cpu
        result = {
            "perSecond": count / elapsed,
            "cpuMicrosPerTransaction": used / count * 1e6,
            "megagasPerSecond": count * _gas_used(running, load.one) / elapsed / 1e6,
        }
        if running.metrics_url:
            result["signingShareOfCpu"] = (_signing_seconds(running) - signing) / used
        return result


def _signing_seconds(running: Server) -> float:
    return running.metric("sequencer_signing_cpu_seconds_total") if running.metrics_url else 0.0


def _gas_used(running: Server, transaction_hash: Hash32) -> int:
    receipt = running.rpc("eth_getTransactionReceipt", "0x" + transaction_hash.hex())
    if receipt["status"] != "0x1":
        raise RuntimeError("the transactions failed")
    return int(receipt["gasUsed"], 16)


def _spread(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"min": ordered[0], "median": ordered[len(ordered) // 2], "max": ordered[-1]}


def run(
    engine: str = "auto", count: int = 50_000, rounds: int = 3, names: Sequence[str] = tuple(WORK)
) -> dict[str, Any]:
    """Every row of the table, both servers in turn. ``ratio`` is by included transactions a second, ``cpuRatio`` by
    what one costs the server; both say how many times better this node is."""
    os.sched_setaffinity(0, {server.CLIENT_CORE})
    result: dict[str, Any] = {"transactions": count, "rounds": rounds}
    for name in names:
        work = WORK[name]
        share = int(count * work.share)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(measure(lambda: server.node(engine, *GAS_LIMIT), work, share))
            theirs.append(measure(lambda: server.anvil("--block-time", "1", *GAS_LIMIT), work, share))
        pairs = list(zip(ours, theirs, strict=True))
        cost = "cpuMicrosPerTransaction"
        result[name] = {
            "node": ours,
            "anvil": theirs,
            "ratio": _spread([a["perSecond"] / b["perSecond"] for a, b in pairs]),
            "cpuRatio": _spread([b[cost] / a[cost] for a, b in pairs]),
        }
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asyncio.to_thread(run)), indent=1))
