"""``kill -9`` a real node under load, again and again, and hold it to every promise it made.

Clients send transactions from every account at once, in bursts that keep the node busy, and wait for the last one
of a burst with ``eth_sendRawTransactionSync``. A promise counts from the moment its answer was read off the wire.
After each restart every promise ever received must stand where it was promised, with the outcome that was promised,
and verify against the same signature. A follower reads the stream of flashblocks and resumes it by position after
each kill: it must see one unbroken chain.

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

from sequencer.core.flashblock import FLASHBLOCK_TYPE, Flashblock
from sequencer.core.keccak import keccak256
from tests.devnet import Devnet, start
from tests.wallet import Wallet

SENDERS = 10
BURST = 12


@dataclass
class Promises:
    """Every promise that a client received, by transaction hash, and what it said."""

    received: dict[str, dict[str, Any]] = field(default_factory=dict)
    verified: int = 0


@dataclass
class Stream:
    """The flashblocks that the follower has seen."""

    seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def next(self) -> dict[str, str]:
        """Where to go on."""
        if not self.seen:
            return {"blockNumber": "0x0"}
        last = self.seen[-1]
        return {"blockNumber": last["blockNumber"], "index": hex(int(last["index"], 16) + 1)}

    def take(self, flashblock: dict[str, Any]) -> None:
        """The next one, which must be on the one before it."""
        if self.seen and flashblock["parent"] != _struct_hash(self.seen[-1]):
            raise AssertionError(f"the stream has a gap or a fork:\n{self.seen[-1]}\n{flashblock}")
        self.seen.append(flashblock)


def _struct_hash(flashblock: dict[str, Any]) -> str:
    values = [
        int(value, 16) if kind.startswith("uint") else bytes.fromhex(value[2:])
        for kind, value in zip(_KINDS, flashblock.values(), strict=True)
    ]
    return "0x" + Flashblock(*values).struct_hash.hex()


_KINDS = [member.split(" ")[0] for member in FLASHBLOCK_TYPE.split("(")[1].split(",")]


async def _send(session: aiohttp.ClientSession, url: str, raws: list[bytes]) -> dict[str, Any]:
    """The answer to the last one, which is waited for."""
    methods = ["eth_sendRawTransaction"] * (len(raws) - 1) + ["eth_sendRawTransactionSync"]
    body = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": ["0x" + raw.hex()]}
        for number, (method, raw) in enumerate(zip(methods, raws, strict=True))
    ]
    async with session.post(url, json=body) as response:
        answers: list[dict[str, Any]] = await response.json()
    return next(answer for answer in answers if answer["id"] == len(raws) - 1)


async def _follow(devnet: Devnet, stream: Stream) -> None:
    """Read the stream from where it was left, until the node is gone."""
    params = ["newFlashblocks", {"from": stream.next}]
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(str(devnet.info["wsUrl"])) as socket:
                await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params})
                async for message in socket:
                    told = json.loads(message.data)
                    if told.get("method") == "eth_subscription":
                        stream.take(told["params"]["result"]["flashblock"])
                    elif "error" in told:
                        raise AssertionError(f"refused: {told['error']}")
        except (aiohttp.ClientError, ConnectionError):
            return


async def _load(devnet: Devnet, account: int, wallet: Wallet, promises: Promises, rng: random.Random) -> None:
    """One sender, one burst after another, until the node is gone."""
    async with aiohttp.ClientSession() as session:
        while True:
            count = rng.choice((1, BURST))
            raws = [wallet.sign(to=rng.randbytes(20), value=rng.randrange(10**9)) for _ in range(count)]
            try:
                answer = await _send(session, devnet.url, raws)
            except (aiohttp.ClientError, ConnectionError, json.JSONDecodeError):
                return
            if "error" in answer:
                # The pool comes back after a crash as well, and may use up a nonce just after it was asked for.
                if not any(words in answer["error"]["message"] for words in ("nonce", "underpriced")):
                    raise AssertionError(f"refused: {answer['error']}")
                try:
                    wallet.nonce = (await asyncio.to_thread(devnet.wallet, account)).nonce
                except OSError:
                    return
                continue
            promise = answer["result"]["preconfirmation"]
            assert promise["txHash"] == "0x" + keccak256(raws[-1]).hex()
            promises.received[promise["txHash"]] = promise


async def _one_life(devnet: Devnet, promises: Promises, stream: Stream, rng: random.Random, alive_s: float) -> None:
    """Load the node, then kill it in the middle."""
    wallets = [await asyncio.to_thread(devnet.wallet, account) for account in range(SENDERS)]
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow(devnet, stream))
        for account, wallet in enumerate(wallets):
            group.create_task(_load(devnet, account, wallet, promises, random.Random(rng.random())))
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
    promises, stream = Promises(), Stream()
    slowest_s = 0.0
    started = time.monotonic()
    devnet = start(data_dir, "--block-time", "250ms", engine=engine)
    try:
        for cycle in range(cycles):
            before = set(promises.received)
            asyncio.run(_one_life(devnet, promises, stream, rng, alive_s=rng.uniform(0.05, 0.9)))
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
        assert not exit_code, f"SIGTERM ended with exit code {exit_code}"
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
        "flashblocksFollowed": len(stream.seen),
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
