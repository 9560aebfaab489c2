"""Blocks in, blocks out; crashes between the rows of a block; unwinding."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from sequencer.core.errors import Fatal, Temporary
from sequencer.core.receipt import Log
from sequencer.storage.blocks import BlockStore
from sequencer.storage.memory import MemoryStorage
from sequencer.storage.rocks import RocksStorage
from tests.unit.storage.sample_blocks import address, block, chain, contents, signed_flashblock, topic


class CrashingStorage(MemoryStorage):
    """Dies at the n-th write from now."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left = 10**9
        self.sizes: list[int] = []

    def write(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        if self.writes_left == 0:
            raise Temporary("no space")
        self.writes_left -= 1
        self.sizes.append(len(puts))
        super().write(puts, deletes)


async def test_a_block_reads_as_it_was_put(tmp_path: Path) -> None:
    blocks = chain(6, count=7)
    with RocksStorage(tmp_path) as storage:
        store = BlockStore(storage)
        assert store.head() is None
        for each in blocks:
            await store.put(each, [signed_flashblock(each.header.number, i) for i in range(2)])
        for reader in (store, BlockStore(storage)):
            assert reader.head() == blocks[-1].header.ref
            for each in blocks:
                number = each.header.number
                found = reader.block(number)
                assert found is not None
                assert contents(found) == contents(each)
                assert reader.header(number) == each.header
                assert reader.block_number(each.header.hash) == number
                assert reader.flashblocks(number) == tuple(signed_flashblock(number, i) for i in range(2))
            assert reader.block(6) is reader.header(6) is reader.header(-1) is None
            assert reader.block_number(topic(1)) is None
            assert reader.flashblocks(6) == ()


async def test_an_inclusion_knows_its_first_log_without_the_others() -> None:
    log = Log(address(1), (topic(1),), b"x")
    logs = [[log, log], [], [log], [log, log, log], [log]]
    storage = MemoryStorage()
    store = BlockStore(storage)
    genesis = chain(1)[0]
    full = block(1, genesis.header.hash, logs)
    await store.put(genesis, [])
    await store.put(full, [])
    firsts = []
    for position, transaction in enumerate(full.transactions):
        inclusion = BlockStore(storage).inclusion(transaction.hash)
        assert inclusion is not None
        assert (inclusion.block, inclusion.position, inclusion.sealed) == (full.header, position, True)
        assert inclusion.transaction.raw == transaction.raw
        assert inclusion.outcome.receipt == full.outcomes[position].receipt
        firsts.append(inclusion.first_log_index)
    assert firsts == [0, 2, 2, 3, 6]
    assert store.inclusion(topic(5)) is None


async def test_a_crash_before_the_head_row_leaves_the_block_before_and_a_retry_works() -> None:
    blocks = chain(3, count=600)
    storage = CrashingStorage()
    store = BlockStore(storage)
    await store.put(blocks[0], [])
    await store.put(blocks[1], [])
    writes = 0
    while store.head() != blocks[2].header.ref:
        storage.writes_left = writes
        try:
            await store.put(blocks[2], [signed_flashblock(2)])
        except Temporary:
            writes += 1
            for reader in (store, BlockStore(storage)):
                assert reader.head() == blocks[1].header.ref
                assert reader.header(2) is reader.block(2) is None
                assert reader.block_number(blocks[2].header.hash) is None
                assert reader.inclusion(blocks[2].transactions[0].hash) is None
                assert reader.flashblocks(2) == ()
    assert writes == 6  # body, other rows, three chunks of index rows, head
    assert max(storage.sizes) <= 256


async def test_a_block_is_stored_in_portions_with_pauses_and_seen_after_the_last() -> None:
    blocks = chain(2, count=600)
    storage = CrashingStorage()
    store = BlockStore(storage)
    await store.put(blocks[0], [])
    begun, pauses = len(storage.sizes), []

    async def pause() -> None:
        pauses.append(len(storage.sizes) - begun)
        assert store.head() == blocks[0].header.ref

    await store.put(blocks[1], [], pause)
    assert pauses == [1, 2, 3, 4, 5], "one before each portion but the first"
    assert store.head() == blocks[1].header.ref


async def test_a_left_over_of_another_block_is_overwritten_and_its_index_ignored() -> None:
    genesis = chain(1)[0]
    lost = block(1, genesis.header.hash, count=3, salt=1)
    kept = block(1, genesis.header.hash, count=3)
    storage = CrashingStorage()
    store = BlockStore(storage)
    await store.put(genesis, [])
    storage.writes_left = 2
    with pytest.raises(Temporary):
        await store.put(lost, [signed_flashblock(1, 9)])
    storage.writes_left = 10
    await store.put(kept, [])
    assert store.block_number(lost.header.hash) is None
    assert store.inclusion(lost.transactions[0].hash) is None
    assert store.inclusion(kept.transactions[2].hash) is not None
    assert store.flashblocks(1) == ()


async def test_only_the_next_block_may_be_put() -> None:
    blocks = chain(4)
    store = BlockStore(MemoryStorage())
    await store.put(blocks[0], [])
    for wrong in (blocks[0], blocks[2], block(1, topic(1))):
        with pytest.raises(Fatal, match="does not follow"):
            await store.put(wrong, [])
    await store.put(blocks[1], [])


async def test_unwinding_takes_blocks_away_newest_first_and_leaves_no_rows() -> None:
    log = Log(address(1), (topic(1),), b"")
    blocks = chain(3)
    before = MemoryStorage()
    short = BlockStore(before)
    for each in blocks:
        await short.put(each, [])
    storage = MemoryStorage()
    store = BlockStore(storage)
    for each in blocks:
        await store.put(each, [])
    extra = [block(3, blocks[-1].header.hash, [[log], [log]])]
    extra.append(block(4, extra[0].header.hash, count=2))
    for each in extra:
        await store.put(each, [signed_flashblock(1)])
    removed = store.unwind(2)
    assert [contents(each) for each in removed] == [contents(each) for each in reversed(extra)]
    assert list(storage.scan(b"", b"\xff" * 40)) == list(before.scan(b"", b"\xff" * 40))
    assert store.head() == blocks[2].header.ref
    assert store.block(3) is store.inclusion(extra[0].transactions[0].hash) is None
    assert store.unwind(2) == store.unwind(7) == []
    await store.put(block(3, blocks[-1].header.hash, count=1, salt=2), [])


async def test_putting_a_large_block_lets_others_run() -> None:
    blocks = chain(2, count=1000)
    store = BlockStore(MemoryStorage())
    await store.put(blocks[0], [])
    turns = 0

    async def other() -> None:
        nonlocal turns
        while store.head() == blocks[0].header.ref:
            turns += 1
            await asyncio.sleep(0)

    await asyncio.gather(store.put(blocks[1], []), other())
    assert turns >= 4
