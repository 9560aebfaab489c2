"""A search for an address that logged three times in 100,000 blocks, each of which logged something."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sequencer.chain_view import LOG_BLOCKS_AT_ONCE
from sequencer.core.receipt import Log
from sequencer.core.types import ZERO_HASH, Address, Hash32
from sequencer.storage.blocks import BlockStore
from sequencer.storage.logs import LogIndex
from sequencer.storage.rocks import RocksStorage
from tests.unit.storage.sample_blocks import address, block, topic

COMMON = tuple(address(number) for number in range(20))
RARE = address(1_000)


async def _fill(store: BlockStore, count: int) -> None:
    parent = ZERO_HASH
    for number in range(count + 1):
        logs = [Log(COMMON[number % len(COMMON)], (topic(number % 50),), b"\1" * 32)]
        if number % (count // 3) == count // 6:
            logs.append(Log(RARE, (topic(0),), b""))
        made = block(number, parent, [logs] if number else [])
        await store.put(made, ())
        parent = made.header.hash


def _search(index: LogIndex, count: int, addresses: Sequence[Address], topics: Sequence[Sequence[Hash32]]) -> int:
    """As a node searches: some blocks at a time."""
    return sum(
        1
        for first in range(0, count + 1, LOG_BLOCKS_AT_ONCE)
        for _ in index.logs(first, min(first + LOG_BLOCKS_AT_ONCE - 1, count), addresses, topics)
    )


def run(count: int = 100_000, rounds: int = 5) -> dict[str, Any]:
    """Milliseconds of a search, from a store that was just opened and from a warm one."""
    with tempfile.TemporaryDirectory() as folder:
        with RocksStorage(Path(folder)) as storage:
            asyncio.run(_fill(BlockStore(storage), count))
        with RocksStorage(Path(folder)) as storage:
            index = LogIndex(storage, BlockStore(storage))
            times = []
            for _ in range(rounds + 1):
                begun = time.perf_counter()
                found = _search(index, count, (RARE,), ())
                times.append(1000 * (time.perf_counter() - begun))
    return {
        "blocks": count,
        "found": found,
        "coldMs": round(times[0], 2),
        "warmMs": {
            "min": round(min(times[1:]), 2),
            "median": round(statistics.median(times[1:]), 2),
            "max": round(max(times[1:]), 2),
        },
    }
