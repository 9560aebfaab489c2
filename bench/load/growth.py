"""What a transaction costs the whole node in CPU, with ten thousand accounts in its state and with a million.

Transfers go from ten thousand accounts, each in its turn, to accounts drawn with a fixed seed: once from those ten
thousand, so that only the state differs in size, and once from all accounts. Then the work differs too: with a million,
a block changes more than twice as many accounts. A chain of each size grows by its own transactions first; every round
starts a node on it anew and goes on with it.
"""

import json
import os
import random
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.load import server
from bench.load.client import post, send_lanes
from bench.load.server import Server
from bench.load.work import FEE_WEI
from bench.micro.workloads import FUND, FUND_CODE, filler_address, word
from sequencer import chain_file
from sequencer.core import genesis as genesis_file
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.types import Address, Hash32
from sequencer.signer import keystore
from sequencer.signer.local import LocalSigner
from tests.wallet import Wallet

SIZES: Final = (10_000, 1_000_000)
SENDERS: Final = 10_000
LANES: Final = 100
GAS_LIMIT: Final = 10_000_000_000
FUNDED: Final = 10_000
"""Accounts that one transaction creates while the state grows."""
BALANCE_WEI: Final = 50 * 10**18
IDLE: Final = 0.1
"""Seconds of CPU in one second, below which a node has nothing left to do."""


@dataclass
class _Chain:
    """A chain on disk, and who sends and receives on it."""

    folder: Path
    senders: Sequence[Wallet]
    everyone: Sequence[Address]
    draw: random.Random

    def lanes(self, count: int, recipients: int) -> list[list[bytes]]:
        """The next transactions, raw, by connection, to the first ``recipients`` of all."""
        share, each = SENDERS // LANES, count // LANES
        return [
            [self._transfer(self.senders[lane * share + turn % share], recipients) for turn in range(each)]
            for lane in range(LANES)
        ]

    def _transfer(self, wallet: Wallet, recipients: int) -> bytes:
        return wallet.sign(self.everyone[self.draw.randrange(recipients)], 1, max_fee_per_gas=FEE_WEI)


def run(engine: str = "auto", count: int = 50_000, rounds: int = 3, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    """CPU per included transaction by size, in rounds in turn, and how many times as much the largest state takes."""
    os.sched_setaffinity(0, {server.CLIENT_CORE})
    result: dict[str, Any] = {"transactions": count, "rounds": rounds}
    with tempfile.TemporaryDirectory() as folder:
        chains = {size: _grow(engine, Path(folder) / str(size), size) for size in sizes}
        for name, recipients in (
            ("toTheSame", dict.fromkeys(sizes, SENDERS)),
            ("toAll", {size: size for size in sizes}),
        ):
            measured: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
            for _ in range(rounds):
                for size, chain in chains.items():
                    measured[size].append(_measure(engine, chain, count, recipients[size]))
            result[name] = {f"{size} accounts": measured[size] for size in sizes} | _ratios(
                measured[sizes[-1]], measured[sizes[0]]
            )
    return result


def _ratios(large: Sequence[dict[str, float]], small: Sequence[dict[str, float]]) -> dict[str, Any]:
    result = {}
    for name in ("cpuMicrosPerTransaction", "perSecond"):
        ratios = sorted(one[name] / other[name] for one, other in zip(large, small, strict=True))
        named = zip(("min", "median", "max"), (ratios[0], ratios[len(ratios) // 2], ratios[-1]), strict=True)
        result[f"{name}Ratio"] = {key: round(ratio, 3) for key, ratio in named}
    return result


def _grow(engine: str, folder: Path, size: int) -> _Chain:
    wallets = [Wallet(keccak256(b"growth %d" % number), server.CHAIN_ID) for number in range(SENDERS)]
    everyone = [wallet.address for wallet in wallets]
    key = keccak256(b"growth sequencer")
    genesis = chain_file.load(chain_file.find("devnet")).genesis(
        timestamp=int(time.time()),
        seed=Hash32(keccak256(b"growth seed")),
        sequencers=(SequencerInfo(LocalSigner(key).address, fee_recipient=LocalSigner(key).address),),
        gas_limit=GAS_LIMIT,
        balances_wei=dict.fromkeys(everyone, BALANCE_WEI),
    )
    fund = GenesisAccount(balance_wei=10**18, code=FUND_CODE)
    genesis = replace(genesis, accounts={**genesis.accounts, FUND: fund})
    folder.mkdir(mode=0o700)
    keystore.write_plain_key(folder / "sequencer.key", key)
    (folder / "genesis.json").write_text(genesis_file.dump(genesis))
    bank = Wallet(server.KEYS[0], server.CHAIN_ID)
    with server.node(engine, core=None, folder=folder) as running:
        for start in range(0, size - SENDERS, FUNDED):
            stop = min(start + FUNDED, size - SENDERS)
            gas = 100_000 + 40_000 * (stop - start)
            raw = bank.sign(FUND, data=word(start) + word(stop), gas_limit=gas, max_fee_per_gas=FEE_WEI)
            transaction_hash = running.rpc("eth_sendRawTransaction", "0x" + raw.hex())
            while (receipt := running.rpc("eth_getTransactionReceipt", transaction_hash)) is None:
                time.sleep(0.02)
            if receipt["status"] != "0x1":
                raise RuntimeError("the state did not grow")
        _wait_until_idle(running)
    everyone += [filler_address(number) for number in range(size - SENDERS)]
    return _Chain(folder, wallets, everyone, random.Random(size))


def _measure(engine: str, chain: _Chain, count: int, recipients: int) -> dict[str, float]:
    lanes = chain.lanes(count, recipients)
    begun = time.perf_counter()
    with server.node(engine, folder=chain.folder) as running:
        start_seconds = time.perf_counter() - begun
        requests = [[_request(running.url, raw) for raw in lane] for lane in lanes]
        _wait_until_idle(running)
        cpu, begun = running.cpu_seconds(), time.perf_counter()
        uvloop.run(send_lanes(running.url, requests))
        for wallet in chain.senders[SENDERS // LANES - 1 :: SENDERS // LANES]:
            address = "0x" + wallet.address.hex()
            while int(running.rpc("eth_getTransactionCount", address, "latest"), 16) < wallet.nonce:
                time.sleep(0.01)
        elapsed = time.perf_counter() - begun
        _wait_until_idle(running)
        return {
            "perSecond": round(count / elapsed),
            "cpuMicrosPerTransaction": round((running.cpu_seconds() - cpu) / count * 1e6, 1),
            "startSeconds": round(start_seconds, 1),
            "peakMemoryMib": round(_peak_memory_mib(running.pid)),
        }


def _wait_until_idle(running: Server) -> None:
    """Until the second engine has executed everything, and the store has merged its tables."""
    before, now = 0.0, running.cpu_seconds()
    while now - before > IDLE:
        time.sleep(1)
        before, now = now, running.cpu_seconds()


def _request(url: str, raw: bytes) -> bytes:
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": ["0x" + raw.hex()]}
    return post(url, json.dumps(call).encode())


def _peak_memory_mib(pid: int) -> float:
    """Of the node's process."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
