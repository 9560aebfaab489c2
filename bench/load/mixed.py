"""Whether reads starve sends: how long a send takes while fifty callers never stop executing.

Transactions are offered at a fixed rate, whatever becomes of those before, and each is timed from when it was due. The
node has both cores and one read worker, and shares them with the client. The calls burn 10 million gas each.
"""

import asyncio
import json
from typing import Any

import uvloop

from bench.load import server
from bench.load.client import answers_within, latencies, post
from bench.load.read_chain import BURN_GAS, deploy, request
from bench.load.work import FEE_WEI, senders

CALLERS = 50
SENDING = 64
"""Connections that send."""
ONE_READ_WORKER = {"SEQUENCER_NODE__READ_WORKERS": "1"}


def measure(engine: str, per_second: int, seconds: int, callers: int) -> dict[str, float]:
    """Latencies of ``eth_sendRawTransaction`` in milliseconds, and what the callers got meanwhile."""
    with server.node(engine, "--gas-limit", "1000000000", core=None, settings=ONE_READ_WORKER) as node:
        contract, wallets = deploy(node), senders(node)
        sends = [
            wallets[serial % len(wallets)].sign(to=serial.to_bytes(20, "big"), value=1, max_fee_per_gas=FEE_WEI)
            for serial in range(per_second * seconds)
        ]
        bodies = [
            post(node.url, json.dumps(request("eth_sendRawTransaction", "0x" + raw.hex())).encode()) for raw in sends
        ]
        burn = request("eth_call", {"to": contract, "gas": hex(BURN_GAS)}, "latest")
        burning = [post(node.url, json.dumps(burn).encode())]

        async def both() -> tuple[list[float], int]:
            if not callers:
                return await latencies(node.url, bodies, per_second, SENDING), 0
            taken, (calls, _) = await asyncio.gather(
                latencies(node.url, bodies, per_second, SENDING), answers_within(node.url, burning, callers, seconds)
            )
            return taken, calls

        taken, calls = uvloop.run(both())
        ordered = sorted(1000 * each for each in taken)
        return {
            "p50": round(ordered[len(ordered) // 2], 2),
            "p99": round(ordered[len(ordered) * 99 // 100], 2),
            "max": round(ordered[-1], 2),
            "callsPerSecond": calls / seconds,
        }


def run(engine: str = "auto", per_second: int = 1_000, seconds: int = 8, rounds: int = 3) -> dict[str, Any]:
    """With and without the callers."""
    return {
        "offeredPerSecond": per_second,
        "callers": CALLERS,
        "alone": [measure(engine, per_second, seconds, 0) for _ in range(rounds)],
        "underCalls": [measure(engine, per_second, seconds, CALLERS) for _ in range(rounds)],
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
