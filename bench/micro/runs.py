"""The workloads, run and timed. Each function gives lists of figures by name; names end in their unit."""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench.micro.chain import USERS, Chain, recover
from bench.micro.workloads import ARITHMETIC, GAS_LIMIT, KECCAK, TOKEN, attributes, filler_address, signed, word
from sequencer.core.errors import Rejected
from sequencer.core.transaction import Transaction

Figures = dict[str, list[float]]
BLOCK: Final = 2_000
"""Transactions a block."""
CHUNK: Final = 200
"""Transactions a call of ``apply``: about a flashblock under load."""
PAUSE_S: Final = 0.02
"""Between two calls of ``apply``: stands for the time until the next flashblock is due."""
SINGLES: Final = 100
LOOPS: Final = {"arithmetic": (ARITHMETIC, 200_000), "keccak": (KECCAK, 100_000), "keccak_repeated": (KECCAK, 2_700)}
"""Contracts and their rounds. A run hashes what the run before did: of 100,000 hashes the engine remembers none,
of 2,700 most."""


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of ``work``; CPU is the whole process's."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def recovery(rounds: int) -> Figures:
    """Decode, check and recover, on as many cores as this process may use; in the end one transaction a call, which is
    libsecp256k1 whatever the processor has."""
    raws = [signed(at % USERS, at, TOKEN, at) for at in range(BLOCK)]
    runs = [timed(lambda: recover(raws)) for _ in range(rounds + 1)][1:]
    _, single_cpu = timed(lambda: [recover([raw]) for raw in raws])
    return {
        "per_s": [len(raws) / wall for wall, _ in runs],
        "cpu_us": [cpu / len(raws) * 1e6 for _, cpu in runs],
        "single_cpu_us": [single_cpu / len(raws) * 1e6],
    }


def execution(chain: Chain, rounds: int) -> Figures:
    """Executing alone: one call of ``apply``, the block thrown away. CPU of the calling thread, which executes.

    The first run of each reads the accounts it touches from the store, the others have them in the engine's cache.
    """
    figures: Figures = {}
    nonces = dict(chain.nonces)
    for name, make in (("transfers", chain.transfers), ("token_transfers", chain.token_transfers)):
        chain.nonces = dict(nonces)
        transactions = recover(make(BLOCK))
        rates = [BLOCK / execute(chain, transactions)[0] for _ in range(rounds + 1)]
        figures[f"{name}_first_run_per_cpu_s"] = rates[:1]
        figures[f"{name}_per_cpu_s"] = rates[1:]
    chain.nonces = dict(nonces)
    for name, (contract, loops) in LOOPS.items():
        call = recover([signed(0, nonces.get(0, 0), contract, 0, word(loops), GAS_LIMIT // 10)])
        runs = [execute(chain, call) for _ in range(rounds)]
        figures[f"{name}_mgas_per_cpu_s"] = [gas / seconds / 1e6 for seconds, gas in runs]
    return figures


def execute(chain: Chain, transactions: Sequence[Transaction]) -> tuple[float, int]:
    """Seconds that ``apply`` takes for all of ``transactions``, and the gas they use."""
    chain.engine.begin(attributes(chain.head))
    start = time.thread_time()
    outcomes = chain.engine.apply(transactions)
    seconds = time.thread_time() - start
    done = [outcome for outcome in outcomes if not isinstance(outcome, Rejected) and outcome.succeeded]
    assert len(done) == len(transactions)
    chain.engine.cancel()
    return seconds, done[-1].cumulative_gas_used


def blocks(chain: Chain, rounds: int) -> Figures:
    """Full blocks as the node builds them: flashblock by flashblock, each block committed beside the next one.

    ``stall_ms`` is what sealing keeps the next block waiting for: from the last ``apply`` of a block until the next
    block is open. CPU is that of the whole process from ``begin`` to the end of the last commit, with everything
    the store does in the background meanwhile.
    """
    batches = [recover(chain.transfers(BLOCK)) for _ in range(rounds)]
    stalls, applies, commits = [], [], []
    cpu = time.process_time()
    with ThreadPoolExecutor(1) as committer:
        pending = []
        chain.engine.begin(attributes(chain.head))
        for batch in batches:
            for at in range(0, BLOCK, CHUNK):
                chunk = batch[at : at + CHUNK]
                applies.append(timed(lambda part=chunk: chain.engine.apply(part))[0] * 1e3)  # type: ignore[misc]
                time.sleep(PAUSE_S)
            start = time.perf_counter()
            chain.head = chain.engine.seal().header
            chain.engine.begin(attributes(chain.head))
            stalls.append((time.perf_counter() - start) * 1e3)
            pending.append(committer.submit(timed, lambda number=chain.head.number: chain.engine.commit(number)))
        chain.engine.cancel()
        commits = [commit.result()[0] * 1e3 for commit in pending]
    spent_us = (time.process_time() - cpu) * 1e6
    return {
        "stall_ms": stalls,
        "apply_of_200_ms": applies,
        "commit_ms": commits,
        "cpu_us_per_transaction": [spent_us / (rounds * BLOCK)],
    }


def singles(chain: Chain) -> Figures:
    """Blocks of one transfer, committed one by one."""
    batches = [recover(chain.transfers(1)) for _ in range(SINGLES)]
    costs = [timed(lambda one=batch: chain.build(one))[1] * 1e6 for batch in batches]  # type: ignore[misc]
    return {"cpu_us": costs, "cpu_us_mean": [statistics.fmean(costs)]}


def roots(chain: Chain, rounds: int) -> Figures:
    """The root alone: 1,000 transfers change 2,000 accounts in one call of ``apply``, and sealing does the rest.

    Cold: the engine was just opened, so that what is below the upper levels, which opening reads, comes from the store
    (the pages of its files are in the operating system's cache). Warm: the blocks before have left what they touched
    in the engine's memory, but half of the accounts were never touched before.
    """
    figures: Figures = {"cold_ms": [], "warm_ms": []}
    for _ in range(rounds):
        chain.reopen()
        for name in ("cold_ms", "warm_ms"):
            batch = recover(chain.transfers(BLOCK // 2))
            chain.engine.begin(attributes(chain.head))
            chain.engine.apply(batch)
            wall, _ = timed(lambda: setattr(chain, "head", chain.engine.seal().header))
            chain.engine.commit(chain.head.number)
            figures[name].append(wall * 1e3)
    return figures


def cold_reads(chain: Chain, rounds: int) -> Figures:
    """An account, of ten thousand that no cache of the just opened engine holds."""
    figures: Figures = {"us": []}
    for turn in range(rounds):
        chain.reopen()
        addresses = [filler_address((at * 31 + turn) % chain.fillers) for at in range(10_000)]
        wall, _ = timed(lambda batch=addresses: chain.engine.accounts(batch, "latest"))  # type: ignore[misc]
        figures["us"].append(wall / len(addresses) * 1e6)
    return figures


def memory(chain: Chain) -> Figures:
    """Of this process with its small Python heap, after everything else; and of the files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    size = sum(file.stat().st_size for file in chain.folder.rglob("*") if file.is_file())
    return {
        "rss_mib": [int(status["VmRSS"].split()[0]) / 1024],
        "peak_rss_mib": [int(status["VmHWM"].split()[0]) / 1024],
        "files_mib": [size / 2**20],
    }
