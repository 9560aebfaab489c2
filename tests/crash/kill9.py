"""``kill -9`` a real node under load, again and again, and hold it to every promise it made.

Clients send transactions with ``eth_sendRawTransactionSync`` from several accounts at once. A promise
counts from the moment its answer was read off the wire. After each restart every promise ever received
must stand where it was promised, with the outcome that was promised, and verify against the same signature.

    python -m tests.crash.kill9 --cycles 100
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from sequencer.core.keccak import keccak256
from tests.devnet import Devnet, start
from tests.wallet import Wallet

SENDERS = 4


@dataclass
class Promises:
    """Every promise that a client received, by transaction hash, and what it said."""

    received: dict[str, dict[str, Any]] = field(default_factory=dict)
    verified: int = 0


async def _send(session: aiohttp.ClientSession, url: str, raw: bytes) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransactionSync", "params": ["0x" + raw.hex()]}
    async with session.post(url, json=body) as response:
        answer: dict[str, Any] = await response.json()
    return answer


async def _load(devnet: Devnet, wallet: Wallet, promises: Promises, rng: random.Random) -> None:
    """One sender, one transaction after another, until the node is gone."""
    async with aiohttp.ClientSession() as session:
        while True:
            raw = wallet.sign(to=rng.randbytes(20), value=rng.randrange(10**9))
            try:
                answer = await _send(session, devnet.url, raw)
            except (aiohttp.ClientError, ConnectionError, json.JSONDecodeError):
                return
            if "error" in answer:
                raise AssertionError(f"refused: {answer['error']}")
            promise = answer["result"]["preconfirmation"]
            assert promise["txHash"] == "0x" + keccak256(raw).hex()
            promises.received[promise["txHash"]] = promise


async def _one_life(devnet: Devnet, promises: Promises, rng: random.Random, alive_s: float) -> None:
    """Load the node, then kill it in the middle."""
    async with asyncio.TaskGroup() as group:
        for index in range(SENDERS):
            wallet = await asyncio.to_thread(devnet.wallet, index)
            group.create_task(_load(devnet, wallet, promises, random.Random(rng.random())))
        await asyncio.sleep(alive_s)
        devnet.process.kill()


def _check(devnet: Devnet, promises: Promises, hashes: Iterator[str]) -> None:
    """Each promise stands: same place, same outcome, same signed flashblock, and a receipt that agrees."""
    for transaction_hash in hashes:
        promised = promises.received[transaction_hash]
        now = devnet.rpc("sequencer_getPreconfirmation", transaction_hash)
        if now != promised:
            raise AssertionError(f"promise broken for {transaction_hash}:\nthen {promised}\nnow  {now}")
        receipt = devnet.rpc("eth_getTransactionReceipt", transaction_hash)
        place = (receipt["blockNumber"], receipt["transactionIndex"])
        if place != (promised["flashblock"]["blockNumber"], promised["position"]):
            raise AssertionError(f"{transaction_hash} moved to {place}")
        promises.verified += 1


def campaign(cycles: int, seed: int, data_dir: Path, engine: str = "reference") -> dict[str, Any]:
    """Run ``cycles`` kills. Raises ``AssertionError`` on the first broken promise."""
    rng = random.Random(seed)
    promises = Promises()
    slowest_s = 0.0
    started = time.monotonic()
    devnet = start(data_dir, "--block-time", "250ms", engine=engine)
    try:
        for cycle in range(cycles):
            before = set(promises.received)
            asyncio.run(_one_life(devnet, promises, rng, alive_s=rng.uniform(0.05, 0.9)))
            devnet.process.wait(timeout=30)
            if devnet.process.stdout:
                devnet.process.stdout.close()
            restart = time.monotonic()
            devnet = start(data_dir, "--block-time", "250ms", engine=engine)
            slowest_s = max(slowest_s, time.monotonic() - restart)
            fresh = set(promises.received) - before
            old = rng.sample(sorted(before), min(20, len(before)))
            _check(devnet, promises, iter([*fresh, *old]))
            print(f"cycle {cycle + 1}/{cycles}: {len(promises.received)} promises", file=sys.stderr)
        _check(devnet, promises, iter(list(promises.received)))
        exit_code = devnet.stop()
        if exit_code:
            raise AssertionError(f"SIGTERM ended with exit code {exit_code}")
    except BaseException:
        print(devnet.logs()[-6000:], file=sys.stderr)
        raise
    finally:
        if devnet.process.poll() is None:
            devnet.kill()
        if devnet.process.stdout:
            devnet.process.stdout.close()
    return {
        "cycles": cycles,
        "seed": seed,
        "promises": len(promises.received),
        "checks": promises.verified,
        "lost": 0,
        "moved": 0,
        "slowestRestartSeconds": round(slowest_s, 2),
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="reference")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = campaign(arguments.cycles, arguments.seed, Path(folder) / "node", arguments.engine)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
