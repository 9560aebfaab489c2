"""Included transactions a second, and what each costs the server in CPU, against ``anvil --block-time 1``.

A hundred funded accounts; each connection carries the transactions of one account in nonce order, so nothing
waits for a gap. A round ends when every transaction is included in a block. Both servers run in turn on one core,
the client on the other.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import uvloop

from bench.load import server
from bench.load.client import post, send_lanes
from bench.load.server import CHAIN_ID, KEYS, Server
from sequencer.core.keccak import keccak256
from tests.wallet import Wallet

FEE_WEI = 100 * 10**9
SENDERS = 100


def senders(running: Server) -> list[Wallet]:
    """A hundred funded accounts."""
    wallets = [Wallet(keccak256(b"bench" + bytes([index])), CHAIN_ID) for index in range(SENDERS)]
    fund(running, wallets)
    return wallets


def fund(running: Server, wallets: list[Wallet]) -> None:
    """Give each 50 ether; it is in a sealed block when this returns."""
    bank = Wallet(KEYS[0], CHAIN_ID)
    bank.nonce = int(running.rpc("eth_getTransactionCount", "0x" + bank.address.hex(), "pending"), 16)
    for wallet in wallets:
        running.rpc("eth_sendRawTransaction", "0x" + bank.sign(to=wallet.address, value=50 * 10**18).hex())
    while not all(int(running.rpc("eth_getBalance", "0x" + w.address.hex(), "latest"), 16) for w in wallets):
        time.sleep(0.05)


def transfers(url: str, wallets: list[Wallet], count: int, batch: int) -> list[list[bytes]]:
    """Requests of one round: a lane for each account."""
    lanes = []
    for index, wallet in enumerate(wallets):
        raws = []
        for serial in range(count // len(wallets)):
            to = (index * 2**32 + serial + 2**64).to_bytes(20, "big")
            raws.append(wallet.sign(to=to, value=1, max_fee_per_gas=FEE_WEI))
        lanes.append(_requests(url, raws, batch))
    return lanes


def _requests(url: str, raws: list[bytes], batch: int) -> list[bytes]:
    calls = [
        {"jsonrpc": "2.0", "id": i, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
        for i, raw in enumerate(raws)
    ]
    if batch == 1:
        return [post(url, json.dumps(call).encode()) for call in calls]
    return [post(url, json.dumps(calls[at : at + batch]).encode()) for at in range(0, len(calls), batch)]


def measure(start: Callable[[], AbstractContextManager[Server]], count: int, batch: int) -> dict[str, float]:
    """One round on a fresh server."""
    with start() as running:
        wallets = senders(running)
        lanes = transfers(running.url, wallets, count, batch)
        signing = _signing_seconds(running)
        cpu, begun = running.cpu_seconds(), time.perf_counter()
        uvloop.run(send_lanes(running.url, lanes))
        for wallet in wallets:
            while int(running.rpc("eth_getTransactionCount", "0x" + wallet.address.hex(), "latest"), 16) < wallet.nonce:
                time.sleep(0.01)
        elapsed, used = time.perf_counter() - begun, running.cpu_seconds() - cpu
        result = {"perSecond": count / elapsed, "cpuMicrosPerTransaction": used / count * 1e6}
        if running.metrics_url:
            result["signingShareOfCpu"] = (_signing_seconds(running) - signing) / used
        return result


def _signing_seconds(running: Server) -> float:
    return running.metric("sequencer_signing_cpu_seconds_total") if running.metrics_url else 0.0


def run(engine: str = "auto", count: int = 50_000, rounds: int = 3) -> dict[str, Any]:
    """Every row of the table: single POSTs and batches of 50."""
    os.sched_setaffinity(0, {server.CLIENT_CORE})
    result: dict[str, Any] = {"transactions": count, "rounds": rounds}
    for name, batch in (("single", 1), ("batch50", 50)):
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(measure(lambda: server.node(engine, "--gas-limit", "1000000000"), count, batch))
            theirs.append(measure(lambda: server.anvil("--block-time", "1", "--gas-limit", "1000000000"), count, batch))
        ratios = sorted(a["perSecond"] / b["perSecond"] for a, b in zip(ours, theirs, strict=True))
        result[name] = {
            "node": ours,
            "anvil": theirs,
            "ratio": {"min": ratios[0], "median": ratios[rounds // 2], "max": ratios[-1]},
        }
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asyncio.to_thread(run)), indent=1))
