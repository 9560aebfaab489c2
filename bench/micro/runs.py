"""The workloads, run and timed."""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.micro import workloads
from bench.micro.workloads import ARITHMETIC, KECCAK, TOKEN, attributes, filler_address, signed, user_address, word
from execution.evm.native.engine import NativeEngine
from execution.evm.native.recovery import NativeRecovery
from sequencer.core.block import Header
from sequencer.core.errors import Rejected
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address

RULES = EntryRules(workloads.CHAIN_ID, "prague", workloads.GAS_LIMIT, 0, 0)
BLOCK = 2_000
"""Transactions a block."""
CHUNK = 200
"""Transactions a call of ``apply``: about a flashblock under load."""


@dataclass
class Chain:
    """An engine with a state of ``fillers`` accounts, and where its users' nonces stand."""

    engine: NativeEngine
    head: Header
    users: int
    fillers: int
    nonces: dict[int, int] = field(default_factory=dict)
    used: int = 0

    def sign(self, user: int, to: bytes, value: int = 0, data: bytes = b"", gas: int = 21_000) -> bytes:
        nonce = self.nonces.get(user, 0)
        self.nonces[user] = nonce + 1
        return signed(user, nonce, Address(to), value, data, gas)

    def transfers(self, count: int) -> list[bytes]:
        """From users in turn to accounts that were never touched before."""
        self.used += count
        targets = ((self.used + at) * 7919 % self.fillers for at in range(count))
        return [self.sign(at % self.users, filler_address(target), 1) for at, target in enumerate(targets)]

    def token_transfers(self, count: int) -> list[bytes]:
        """From users in turn to the next one."""
        return [
            self.sign(at % self.users, TOKEN, 0, token_call(at % self.users, self.users), 100_000)
            for at in range(count)
        ]


def token_call(user: int, users: int) -> bytes:
    """One token for the next user."""
    return bytes(12) + user_address((user + 1) % users) + word(1)


@contextmanager
def open_chain(users: int, fillers: int) -> Iterator[Chain]:
    """A fresh state in a folder that goes away."""
    folder = Path(tempfile.mkdtemp())
    engine = NativeEngine(folder)
    try:
        yield Chain(engine, engine.open(workloads.genesis(users, fillers)), users, fillers)
    finally:
        engine.close()
        shutil.rmtree(folder)


def summary(name: str, values: Sequence[float], unit: str) -> str:
    """Minimum, median and maximum in one line."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{name:44} min {low:12.2f}  median {middle:12.2f}  max {high:12.2f} {unit}"


def recover(raws: Sequence[bytes]) -> list[Transaction]:
    """All of them, none refused."""
    answers = NativeRecovery().recover(raws, RULES)
    refused = [answer for answer in answers if isinstance(answer, Rejected)]
    assert not refused, refused[0]
    return [answer for answer in answers if not isinstance(answer, Rejected)]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of ``work``."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def recovery(rounds: int) -> Iterator[str]:
    """Decode, check and recover."""
    raws = [signed(at, 0, TOKEN, at) for at in range(BLOCK)]
    runs = [timed(lambda: recover(raws)) for _ in range(rounds + 1)][1:]
    yield summary("recover", [len(raws) / cpu for _, cpu in runs], "/cpu-s")
    yield summary("recover, all cores", [len(raws) / wall for wall, _ in runs], "/s")


def execution(chain: Chain, rounds: int) -> Iterator[str]:
    """Executing alone: one call of ``apply``, the block thrown away. CPU of the calling thread, which executes."""
    engine = chain.engine
    nonces = dict(chain.nonces)
    for name, make in (("transfers", chain.transfers), ("token transfers", chain.token_transfers)):
        chain.nonces = dict(nonces)
        transactions = recover(make(BLOCK))
        rates = [BLOCK / execute(chain, transactions) for _ in range(rounds)]
        yield summary(f"execute {name}", rates, "/cpu-s")
    chain.nonces = dict(nonces)
    for name, contract, loops in (("arithmetic", ARITHMETIC, 200_000), ("keccak", KECCAK, 100_000)):
        (transaction,) = recover([signed(0, nonces.get(0, 0), contract, 0, word(loops), workloads.GAS_LIMIT // 10)])
        rates = []
        for _ in range(rounds):
            engine.begin(attributes(chain.head))
            start = time.thread_time()
            (done,) = engine.apply([transaction])
            assert not isinstance(done, Rejected)
            rates.append(done.gas_used / (time.thread_time() - start) / 1e6)
            engine.cancel()
        yield summary(f"execute {name}", rates, "Mgas/cpu-s")


def execute(chain: Chain, transactions: Sequence[Transaction]) -> float:
    """Seconds that ``apply`` takes for all of ``transactions``."""
    chain.engine.begin(attributes(chain.head))
    start = time.thread_time()
    outcomes = chain.engine.apply(transactions)
    seconds = time.thread_time() - start
    assert not [done for done in outcomes if isinstance(done, Rejected) or not done.succeeded]
    chain.engine.cancel()
    return seconds


def roots(chain: Chain, rounds: int) -> Iterator[str]:
    """Whole blocks, step by step; the tries advance behind the execution, the pause stands for the block time."""
    steps: dict[str, list[float]] = {name: [] for name in ("apply", "seal", "commit")}
    engine, costs = chain.engine, []
    for _ in range(rounds):
        transactions = recover(chain.transfers(BLOCK))
        cpu = time.process_time()
        engine.begin(attributes(chain.head))
        applying = 0.0
        for at in range(0, BLOCK, CHUNK):
            applying += timed(lambda part=transactions[at : at + CHUNK]: engine.apply(part))[0]  # type: ignore[misc]
            time.sleep(0.02)
        start = time.perf_counter()
        chain.head = engine.seal().header
        sealed = time.perf_counter()
        engine.commit(chain.head.number)
        committed = time.perf_counter()
        costs.append((time.process_time() - cpu) / BLOCK * 1e6)
        for name, seconds in (("apply", applying), ("seal", sealed - start), ("commit", committed - sealed)):
            steps[name].append(seconds * 1e3)
    for name, values in steps.items():
        yield summary(f"block of {BLOCK} transfers: {name}", values, "ms")
    yield summary(f"block of {BLOCK} transfers: CPU a transaction", costs, "us")
    engine.begin(attributes(chain.head))
    engine.apply(recover(chain.transfers(BLOCK)))
    wall, _ = timed(lambda: setattr(chain, "head", engine.seal().header))
    yield summary("root of a block executed in one call", [wall * 1e3], "ms")
    singles = []
    for _ in range(20):
        transactions = recover(chain.transfers(1))

        def block(batch: list[Transaction] = transactions) -> None:
            engine.begin(attributes(chain.head))
            engine.apply(batch)
            chain.head = engine.seal().header
            engine.commit(chain.head.number)

        singles.append(timed(block)[1] * 1e6)
    yield summary("block of one transfer, CPU", singles, "us")
    yield summary("cold read of an account", [cold_read(chain) for _ in range(rounds)], "us")


def cold_read(chain: Chain) -> float:
    """Microseconds an account of ten thousand that no cache of the engine holds."""
    addresses = [filler_address(chain.fillers - 1 - at * 31 % chain.fillers) for at in range(10_000)]
    return timed(lambda: chain.engine.accounts(addresses, "pending"))[0] / len(addresses) * 1e6
