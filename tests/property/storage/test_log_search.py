"""Log search against reading every log, over random chains and filters whose values share their tails."""

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.core.receipt import Log
from sequencer.core.types import ZERO_HASH, Address, Hash32
from sequencer.storage.blocks import BlockStore
from sequencer.storage.logs import LogIndex
from sequencer.storage.memory import MemoryStorage
from tests.unit.storage.sample_blocks import block

TAIL = b"same end"
addresses = st.sampled_from([Address(bytes([i]) * 12 + TAIL) for i in range(2)] + [Address(bytes([9] * 20))])
hashes = st.sampled_from([Hash32(bytes([i]) * 24 + TAIL) for i in range(2)] + [Hash32(bytes([9] * 32))])
logs = st.builds(Log, addresses, st.lists(hashes, max_size=4).map(tuple), st.binary(max_size=3))
chains = st.lists(st.lists(st.lists(logs, max_size=3), max_size=4), max_size=25)
filters = st.tuples(
    st.lists(addresses, max_size=2),
    st.lists(st.none() | st.lists(hashes, max_size=2), max_size=5),
    st.integers(-1, 30),
    st.integers(-1, 30),
)


def matches(log: Log, wanted: Sequence[Address], topics: Sequence[Sequence[Hash32] | None]) -> bool:
    """The filter as eth_getLogs defines it."""
    if wanted and log.address not in wanted:
        return False
    if len(topics) > len(log.topics):
        return False
    return all(not place or log.topics[i] in place for i, place in enumerate(topics))


@settings(max_examples=150, deadline=None)
@given(chain=chains, queries=st.lists(filters, min_size=1, max_size=6))
def test_search_finds_what_reading_everything_finds(
    chain: list[list[list[Log]]],
    queries: list[tuple[list[Address], list[list[Hash32] | None], int, int]],
) -> None:
    storage = MemoryStorage()
    store = BlockStore(storage)
    parent = ZERO_HASH
    blocks = []
    for number, per_transaction in enumerate(chain):
        blocks.append(block(number, parent, per_transaction))
        parent = blocks[-1].header.hash
        asyncio.run(store.put(blocks[-1], []))
    index = LogIndex(storage, BlockStore(storage))
    for wanted, topics, first, last in queries:
        expected = []
        for each in blocks:
            every = [(at, log) for at, outcome in enumerate(each.outcomes) for log in outcome.logs]
            expected += [
                (each.header.number, each.transactions[at].hash, at, index_in_block, log)
                for index_in_block, (at, log) in enumerate(every)
                if first <= each.header.number <= last and matches(log, wanted, topics)
            ]
        found = [
            (each.header.number, each.transaction_hash, each.position, each.log_index, each.log)
            for each in index.logs(first, last, wanted, topics)
        ]
        assert found == expected
