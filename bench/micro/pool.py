"""What the pool and the policies cost: 100,000 transfers of 10,000 senders, and a pool full of one attacker.

``run`` gives numbers for this machine; nothing here asserts. Rates are transactions a second, times are in
microseconds, sizes in bytes a transaction beyond its raw bytes. Picks are chunks of ``CHUNK`` transactions,
which is what a flashblock takes at most, from a pool that stays full. Of repeated runs the best one counts: what
else the machine does can only make them slower.
"""

import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from prometheus_client import CollectorRegistry

from bench.micro.workloads import CHAIN_ID, signed
from mempool.admission import PythonRecovery
from mempool.config import MempoolConfig
from mempool.metrics import MempoolMetrics
from mempool.pool import Pool
from mempool.service import Mempool
from sequencer.core.calls import AccountView
from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import Rejected
from sequencer.core.keccak import EMPTY_HASH, keccak256
from sequencer.core.ports import Budget, EntryRules
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address
from sequencer.ordering.registry import BUILT_IN, make_policy

COUNT: Final = 100_000
SENDERS: Final = 10_000
CHUNK: Final = 2_000
RATE_PER_MS: Final = 50
"""At which the transactions arrive: 50,000 a second, so that windows of time hold what they would."""
RULES: Final = EntryRules(CHAIN_ID, "prague", 30_000_000, 1, 0)
ACCOUNT: Final = AccountView(0, 10**30, EMPTY_HASH)
TARGET: Final = Address(b"\x22" * 20)
UNBOUNDED: Final = 10**15


def run() -> dict[str, float]:
    """Every measurement of this file."""
    results: dict[str, float] = {}
    transactions = _distinct(COUNT)
    pool, rate, slowest_us = max((_insert(transactions) for _ in range(3)), key=lambda run: run[1])
    results["insert_per_s"] = rate
    results["insert_slowest_us"] = slowest_us
    for name in BUILT_IN:
        results[f"pick_{name}_per_s"] = _pick(pool, name)
    del pool
    results["memory_bytes"] = _memory()
    idle_us, full_us = asyncio.run(_admission(transactions))
    results["admission_idle_us"] = idle_us
    results["admission_full_us"] = full_us
    results["admission_full_to_idle"] = full_us / idle_us
    return results


def _distinct(count: int) -> list[Transaction]:
    """Transfers of ``SENDERS`` senders in turn, each with its own hash, made from one signed transaction:
    signing a hundred thousand would take longer than everything that is measured."""
    (model,) = PythonRecovery().recover([signed(0, 0, TARGET, 10**15)], RULES)
    if isinstance(model, Rejected):
        raise model
    senders = [Address(keccak256(b"sender %d" % number)[12:]) for number in range(SENDERS)]
    return [
        replace(  # type: ignore[type-var]
            model,
            hash=keccak256(b"hash %d" % number),
            sender=senders[number % SENDERS],
            nonce=number // SENDERS,
            max_priority_fee_per_gas=10**9 + number * 7919 % 1_000_003,
            max_fee_per_gas=5 * 10**9,
        )
        for number in range(count)
    ]


def _insert(transactions: Sequence[Transaction]) -> tuple[Pool, float, float]:
    """A full pool, insertions a second, and the slowest one."""
    pool = Pool(MempoolConfig())
    add, clock = pool.add, time.perf_counter
    slowest = 0.0
    gc.collect()
    began = before = clock()
    for number, transaction in enumerate(transactions):
        add(transaction, number // RATE_PER_MS, 0, ACCOUNT)
        now = clock()
        slowest = max(slowest, now - before)
        before = now
    return pool, len(transactions) / (before - began), slowest * 1e6


def _pick(pool: Pool, name: str) -> float:
    """Transactions a second, the best of several chunks."""
    policy = make_policy(OrderingRule(name))
    budget = Budget(UNBOUNDED, UNBOUNDED, CHUNK)
    rates = []
    gc.collect()
    for _ in range(15):
        began = time.perf_counter()
        picked = policy.pick(pool.ready, budget, UNBOUNDED)
        rates.append(len(picked) / (time.perf_counter() - began))
        pool.stage(picked)
        pool.restore(picked)
    return max(rates)


def _memory(count: int = 20_000) -> float:
    """Bytes a pooled transfer takes beyond its raw bytes, recovered by the reference recovery."""
    raws = [signed(number % (count // 10), number // (count // 10), TARGET, 10**15) for number in range(count)]
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        pool = Pool(MempoolConfig())
        for transaction in PythonRecovery().recover(raws, RULES):
            if not isinstance(transaction, Rejected):
                pool.add(transaction, 0, 0, ACCOUNT)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / pool.held_count


async def _admission(transactions: Sequence[Transaction], rounds: int = 400) -> tuple[float, float]:
    """Median time of ``submit`` for senders that the pool does not know: into an empty one, and into one that
    is full of an attacker who offers as little as allowed."""
    raws = [signed(number, 0, TARGET) for number in range(2 * rounds)]
    medians = []
    for crowd in ((), transactions):
        mempool = Mempool(
            MempoolConfig(), PythonRecovery(), _rich, lambda: RULES, lambda: 0, MempoolMetrics(CollectorRegistry())
        )
        for attack in crowd:
            mempool.pool.add(attack, 0, 0, ACCOUNT)
        running = asyncio.ensure_future(mempool.run())
        times = []
        for raw in raws[:rounds] if not crowd else raws[rounds:]:
            began = time.perf_counter()
            await mempool.submit(raw)
            times.append((time.perf_counter() - began) * 1e6)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        medians.append(statistics.median(times))
    return medians[0], medians[1]


async def _rich(addresses: Sequence[Address]) -> list[AccountView]:
    return [ACCOUNT] * len(addresses)


def main() -> None:
    """Print the results."""
    for name, value in run().items():
        print(f"{name:32}{value:14,.1f}")


if __name__ == "__main__":
    main()
