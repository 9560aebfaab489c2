"""Answers a second to the reads that wallets and explorers send, against anvil on the same core.

Both servers stand side by side, each filled with the same 20,000 transactions, and are asked in turn in short
bursts, so that whatever else the machine does meets both alike. The ratio of a round is ours to theirs.
"""

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import uvloop

from bench.load import server
from bench.load.client import answers_within, post
from bench.load.read_chain import BLOCK_GAS_LIMIT, RARE_TOPIC, SLOT, ReadChain, fill, request

CONNECTIONS = 8
BATCH = 50


def workloads(chain: ReadChain) -> Mapping[str, list[dict[str, object]]]:
    """The requests of each kind."""
    slot = "0x" + SLOT.to_bytes(32, "big").hex()
    by_topic = {"fromBlock": "0x0", "toBlock": "latest", "topics": [None, None, "0x" + RARE_TOPIC.hex()]}
    return {
        "eth_getTransactionReceipt": [request("eth_getTransactionReceipt", each) for each in chain.hashes],
        "eth_getLogs by topic": [request("eth_getLogs", by_topic)],
        "eth_getBalance": [request("eth_getBalance", each, "latest") for each in chain.holders],
        "eth_call": [
            request("eth_call", {"from": each, "to": chain.contract, "data": slot}, "latest") for each in chain.holders
        ],
    }


def encoded(url: str, requests: Sequence[dict[str, object]], batch: int) -> list[bytes]:
    """As they go over the wire, one by one or in batches."""
    if batch == 1:
        return [post(url, json.dumps(each).encode()) for each in requests]
    return [
        post(url, json.dumps([requests[(at + i) % len(requests)] for i in range(batch)]).encode())
        for at in range(0, len(requests), batch)
    ]


def burst(chain: ReadChain, kind: str, batch: int, seconds: float) -> dict[str, float]:
    """Requests a second, and the server's CPU for each."""
    url, requests = chain.server.url, workloads(chain)[kind]
    cpu = chain.server.cpu_seconds()
    answers, elapsed = uvloop.run(answers_within(url, encoded(url, requests, batch), CONNECTIONS, seconds))
    used = chain.server.cpu_seconds() - cpu
    return {"perSecond": answers * batch / elapsed, "cpuMicros": used / (answers * batch) * 1e6}


def compare(ours: ReadChain, theirs: ReadChain, kind: str, batch: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Bursts in turn; medians, and the ratios of each round: rates, and CPU the other way round."""
    pairs = [(burst(ours, kind, batch, seconds), burst(theirs, kind, batch, seconds)) for _ in range(rounds)]
    return {
        "node": _medians([a for a, _ in pairs]),
        "anvil": _medians([b for _, b in pairs]),
        "ratio": _spread([a["perSecond"] / b["perSecond"] for a, b in pairs]),
        "cpuRatio": _spread([b["cpuMicros"] / max(a["cpuMicros"], 0.1) for a, b in pairs]),
    }


def _medians(bursts: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(each[key] for each in bursts), 1) for key in bursts[0]}


def _spread(ratios: Sequence[float]) -> dict[str, float]:
    figures = {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}
    return {name: round(ratio, 2) for name, ratio in figures.items()}


def run(engine: str = "auto", count: int = 20_000, rounds: int = 5, seconds: float = 1.0) -> dict[str, Any]:
    """Every kind alone, and the cheap ones in batches of 50."""
    os.sched_setaffinity(0, {server.CLIENT_CORE})
    limit = ("--gas-limit", str(BLOCK_GAS_LIMIT))
    result: dict[str, Any] = {"transactions": count, "rounds": rounds, "secondsEach": seconds}
    with server.anvil("--block-time", "1", *limit) as anvil, server.node(engine, *limit) as node:
        theirs, ours = fill(anvil, count), fill(node, count)
        result["transactionsInBlock"] = {"node": ours.block_transactions, "anvil": theirs.block_transactions}
        for kind in workloads(ours):
            result[kind] = compare(ours, theirs, kind, 1, rounds, seconds)
        for kind in ("eth_getBalance", "eth_call"):
            result[f"{kind} batch{BATCH}"] = compare(ours, theirs, kind, BATCH, rounds, seconds)
    return result


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
