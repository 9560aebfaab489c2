"""The posting service step by step: order, patience, heads, bounds."""

import asyncio
from dataclasses import replace

import pytest

from da import limits
from da.body import BLOCK_OVERHEAD_BYTES, FLASHBLOCK_OVERHEAD_BYTES, TRANSACTION_OVERHEAD_BYTES
from da.inclusion import DaHeads
from da.memory import Fault, MemoryLayer
from sequencer.core.block import BlockRef
from sequencer.core.errors import Fatal, Temporary
from tests.unit.da.chains import Shape, make_batches
from tests.unit.da.world import CONFIG, World, assert_everything_took_effect_once

BATCHES = make_batches(3)


def last_block(index: int) -> BlockRef:
    header = BATCHES[index].header
    return BlockRef(header.last_block, header.last_block_hash)


async def posted(world: World, until_ms: int = 10**7) -> World:
    await world.run(world.service(), until_ms)
    return world


async def test_batches_pass_through_every_state_in_order() -> None:
    world = await posted(World(MemoryLayer(), BATCHES))
    states = ["prepared", "submitted", "included", "final"]
    assert world.states == [(batch.header.sequence, state) for batch in BATCHES for state in states]
    assert world.heads[-1] == DaHeads(last_block(2), last_block(2))
    assert len(world.layer.contents()) == 3


async def test_a_large_batch_takes_several_blobs() -> None:
    world = World(MemoryLayer(blob_size_bytes=2000), make_batches(2, shape=Shape(4, 5, 400)))
    await posted(world)
    assert len(world.layer.contents()) > 4
    assert_everything_took_effect_once(world)


@pytest.mark.parametrize(
    ("fault", "copies"),
    [
        (Fault.REFUSE, 1),
        (Fault.REJECT, 1),
        (Fault.TIMEOUT_BEFORE, 1),
        (Fault.TIMEOUT_AFTER, 1),
        (Fault.TIMEOUT_LATE, 1),
        (Fault.LOSE, 1),
    ],
)
async def test_whatever_a_submit_ends_in_there_is_one_copy(fault: Fault, copies: int) -> None:
    world = World(MemoryLayer(), BATCHES)
    world.layer.plan([fault, Fault.NONE, fault])
    await posted(world)
    assert_everything_took_effect_once(world)
    assert len(world.layer.contents()) == copies * len(BATCHES)


async def test_after_a_timeout_it_looks_and_waits_before_it_sends_again() -> None:
    world = World(MemoryLayer(), BATCHES[:1])
    world.layer.plan([Fault.TIMEOUT_BEFORE])
    start = world.now_ms
    await posted(world)
    assert world.now_ms - start >= CONFIG.resend_after_ms
    assert_everything_took_effect_once(world)


async def test_a_reorg_moves_safe_back_and_the_batch_is_posted_again() -> None:
    world = World(MemoryLayer(final_after=50), BATCHES)
    service = world.service()
    await world.run(service, world.now_ms + 1000)
    assert service.heads == DaHeads(last_block(2), None)
    world.reorg(49)
    assert world.layer.contents() == []
    await world.run(service, 10**7)
    assert [heads.safe for heads in world.heads][3] is None
    assert service.heads == DaHeads(last_block(2), last_block(2))
    assert_everything_took_effect_once(world)


async def test_heads_are_known_again_after_a_restart() -> None:
    world = World(MemoryLayer(final_after=5), BATCHES)
    await world.run(world.service(), world.now_ms + 1)
    again = world.service()
    await again.load()
    assert again.heads == DaHeads(last_block(2), None)
    assert again.latest is not None
    assert again.latest.sequence == 3


async def test_views_of_batches() -> None:
    world = await posted(World(MemoryLayer(), BATCHES))
    service = world.service()
    await service.load()
    view = service.batch(2)
    assert view is not None
    assert (view.state, view.layer, view.first_block, view.last_block) == ("final", "memory", 3, 4)
    assert view.header_hash == BATCHES[1].header.struct_hash
    assert view.size_bytes == len(BATCHES[1].encoded)
    assert service.batch(0) is service.batch(4) is service.batch(-1) is service.batch(2**70) is None


async def test_the_batch_of_a_block_and_the_shares_of_its_transactions() -> None:
    world = await posted(World(MemoryLayer(), BATCHES))
    service = world.service()
    await service.load()
    found = {number: view.sequence for number in range(9) if (view := service.batch_of(number))}
    assert found == {1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 6: 3}
    view = service.batch_of(3)
    assert view is not None
    paid = replace(view, fee=10**15 + 1, fee_unit="wei", transaction_bytes=1_000, size_bytes=700)
    shares = [paid.share(size) for size in (1, 333, 666)]
    assert [share.size_bytes for share in shares] == [0, 233, 466]
    assert sum(share.fee for share in shares) in range(paid.fee - 3, paid.fee + 1)


async def test_final_batches_give_up_their_bytes() -> None:
    world = await posted(World(MemoryLayer(), BATCHES))
    assert sum(map(len, world.disk.rows.values())) < 3 * 300


async def test_enqueueing_twice_is_once_and_out_of_order_is_refused() -> None:
    world = World(MemoryLayer(), BATCHES)
    service = world.service()
    await service.load()
    await service.enqueue(BATCHES[0])
    await service.enqueue(BATCHES[0])
    assert service.backlog.batches == 1
    with pytest.raises(Fatal, match="follow"):
        await service.enqueue(BATCHES[2])
    await service.advance()
    await service.enqueue(BATCHES[0])
    assert service.backlog.batches == 0


async def test_a_full_outbox_says_so_and_has_room_again_once_posted() -> None:
    world = World(MemoryLayer(), BATCHES, replace(CONFIG, max_outbox_count=2))
    service = world.service()
    await service.load()
    await service.enqueue(BATCHES[0])
    await service.enqueue(BATCHES[1])
    assert not service.has_room
    with pytest.raises(Temporary, match="full"):
        await service.enqueue(BATCHES[2])
    await service.advance()
    await service.enqueue(BATCHES[2])


async def test_a_full_disk_loses_nothing() -> None:
    world = World(MemoryLayer(), BATCHES)
    service = world.service()
    await service.load()
    world.disk.full = True
    with pytest.raises(Temporary):
        await service.enqueue(BATCHES[0])
    world.disk.full = False
    await service.enqueue(BATCHES[0])
    world.disk.full = True
    assert await service.advance()
    assert world.layer.contents() == []
    world.disk.full = False
    await world.run(service, 10**7)
    assert_everything_took_effect_once(world)


async def test_an_outage_is_waited_out_and_the_backlog_drains_without_duplicates() -> None:
    world = World(MemoryLayer(), make_batches(30, per_batch=1))
    world.layer.down = True
    service = world.service()
    await world.run(service, world.now_ms + 600_000)
    assert service.backlog.batches == 30
    assert service.backlog.oldest_prepared_ms == 1_000_000
    world.layer.down = False
    await world.run(service, 10**9)
    assert_everything_took_effect_once(world)
    assert len(world.layer.contents()) == 30


async def test_a_batch_whose_row_was_lost_with_the_disk_is_found_and_not_sent_again() -> None:
    world = await posted(World(MemoryLayer(), BATCHES))
    for key in [key for key in world.disk.rows if key.endswith(b"\3")]:
        del world.disk.rows[key]
    service = world.service()
    await service.load()
    await service.enqueue(BATCHES[2], recovered=True)
    await service.advance()
    assert service.heads.finalized == last_block(2)
    assert len(world.layer.contents()) == 3


async def test_run_posts_and_drain_waits_for_it() -> None:
    world = World(MemoryLayer(), BATCHES)
    service = world.service()
    await service.load()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(service.run())
        for batch in BATCHES:
            await service.enqueue(batch)
        assert await service.drain(30)
        running.cancel()
    assert service.heads.safe == last_block(2)


async def test_drain_gives_up_in_time() -> None:
    world = World(MemoryLayer(), BATCHES)
    world.layer.down = True
    service = world.service()
    await service.load()
    await service.enqueue(BATCHES[0])
    assert not await service.drain(0.01)


def test_the_largest_block_fits_into_a_batch() -> None:
    largest = (
        limits.MAX_BLOCK_BYTES
        + BLOCK_OVERHEAD_BYTES
        + limits.MAX_BLOCK_FLASHBLOCKS * FLASHBLOCK_OVERHEAD_BYTES
        + limits.MAX_BLOCK_TRANSACTIONS * TRANSACTION_OVERHEAD_BYTES
    )
    assert largest <= limits.MAX_BODY_BYTES
