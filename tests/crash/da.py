"""Posting under crashes, faults and reorgs, from seeds: one effective copy of every block, none missing (I4).

``python -m tests.crash.da --count N`` runs N seeds of each campaign; every seed is many lives of one process. A
failure names its campaign and seed, which is all that is needed to see it again.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from da.codec import SignedBatch
from da.derive import AcceptedBatch
from da.ethereum.prover import Prover
from da.memory import Fault, MemoryLayer
from da.service import DaService
from sequencer.testing.celestia import Fault as CelestiaFault
from tests.l1 import anvil
from tests.unit.da.celestia_node import CelestiaTwin
from tests.unit.da.chains import Shape, derivation, make_batches
from tests.unit.da.ethereum_layer import EthereumTwin, config_for, layer_on, settle
from tests.unit.da.world import Crash, Points, World, assert_everything_took_effect_once, derived_block

FOREVER = 10**9


async def memory(seed: int) -> int:
    """A layer that reorgs. Returns how often the process died."""
    rng = random.Random(seed)
    layer = MemoryLayer(blob_size_bytes=rng.choice((300, 5000)), final_after=rng.randrange(6))
    layer.plan(rng.choices(list(Fault), k=12))
    return await _lives(World(layer, make_batches(4, per_batch=1, seed=seed)), rng)


async def celestia(seed: int) -> int:
    """A strict celestia-node. Returns how often the process died."""
    rng = random.Random(seed)
    layer = CelestiaTwin(blob_size_bytes=rng.choice((1024, 50_000)))
    layer.plan(rng.choices(list(CelestiaFault), k=12))
    return await _lives(World(layer, make_batches(4, per_batch=1, seed=seed)), rng)


async def ethereum(seed: int) -> int:
    """A real L1 that reorgs; calldata, so that thousands of postings take seconds. Returns how often the process
    died."""
    rng = random.Random(seed)
    prover = Prover()
    with anvil("--slots-in-an-epoch", "4") as chain:
        settled = await settle(chain, prover, config_for(chain, data="calldata", poll_interval_ms=1))
        deaths = 0
        world: World | None = None
        for life in range(9):
            async with layer_on(settled) as layer:
                twin = EthereumTwin(settled, layer)
                if world is None:
                    world = World(twin, make_batches(6, per_batch=1, seed=seed))
                world.layer = twin
                deaths += await _one_life(world, rng, last=life == 8)
        assert world is not None
        _check(world)
    return deaths


async def reorgs(seed: int, count: int = 20) -> int:
    """A node posts to a real L1 all the time, which reorgs ``count`` times, 1 to 32 blocks deep. After each the safe
    head is right as soon as the node has looked; what is final stays. Returns how often the L1 was reorged."""
    rng = random.Random(seed)
    prover = Prover()
    batches = make_batches(count + 4, per_batch=1, seed=seed)
    with anvil("--slots-in-an-epoch", "32") as chain:
        settled = await settle(chain, prover, config_for(chain, data="calldata", poll_interval_ms=1))
        chain.mine(33)
        async with layer_on(settled) as layer:
            twin = EthereumTwin(settled, layer)
            world = World(twin, batches)
            service = world.service(rng=rng)
            await service.load()
            sent = 0
            for _ in range(count):
                sent = await _enqueue_some(service, batches, sent, rng)
                if rng.random() < 0.5:
                    await service.advance()
                world.reorg(rng.randrange(1, 33))
                await _until_safe(world, service, batches[sent - 1].header.last_block)
                assert derived_block(twin) == batches[sent - 1].header.last_block
                chain.mine(rng.randrange(4))
        target = derivation()
        taken = [e.header for ref, b in twin.contents() for e in target.feed(ref, b) if isinstance(e, AcceptedBatch)]
        assert taken == [batch.header for batch in batches[:sent]]
        finalized = [heads.finalized.number for heads in world.heads if heads.finalized]
        assert finalized == sorted(finalized)
    return count


async def _enqueue_some(service: DaService, batches: Sequence[SignedBatch], sent: int, rng: random.Random) -> int:
    """At least the first, then none to two more."""
    upto = min(len(batches), sent + max(rng.randrange(3), int(sent == 0)))
    for batch in batches[sent:upto]:
        await service.enqueue(batch)
    return upto


async def _until_safe(world: World, service: DaService, block: int) -> None:
    """Time passes until the node has seen what became of its batches."""
    for _ in range(2000):
        wait_ms = await service.advance()
        world.now_ms += wait_ms or world.config.poll_interval_ms
        safe = service.heads.safe
        if safe is not None and safe.number == block and derived_block(world.layer) == block:
            return
        await asyncio.sleep(0.002)
    raise AssertionError(f"safe is {service.heads.safe}, not block {block}")


async def celestia_points(fault: CelestiaFault, every: int = 1) -> int:
    """One submission ends in ``fault``; the process dies at every n-th point of its life, once each. Returns how
    often it died. No copies are left but those that the fault made."""

    def new_world() -> World:
        layer = CelestiaTwin(blob_size_bytes=1024)
        layer.plan([fault])
        return World(layer, make_batches(2, shape=Shape(2, 4, 900)))

    points = Points()
    whole = new_world()
    await whole.run(whole.service(points), FOREVER)
    assert_everything_took_effect_once(whole)
    for die_at in range(1, points.passed + 1, every):
        world = new_world()
        try:
            await world.run(world.service(Points(die_at)), FOREVER)
        except Crash:
            await world.run(world.service(), FOREVER)
        assert_everything_took_effect_once(world)
        blobs = [blob for _, blob in world.layer.contents()]
        assert fault is CelestiaFault.LANDS_TWICE or len(blobs) == len(set(blobs))
    return points.passed // every


async def _every_celestia_point(seed: int) -> int:
    faults = list(CelestiaFault)
    return await celestia_points(faults[seed % len(faults)])


async def _lives(world: World, rng: random.Random) -> int:
    """A process lives and dies twelve times, then once for long enough."""
    deaths = 0
    for life in range(13):
        deaths += await _one_life(world, rng, last=life == 12)
    _check(world)
    return deaths


async def _one_life(world: World, rng: random.Random, *, last: bool) -> int:
    """A process takes up the outbox and dies somewhere, unless it is the last one. Returns whether it died."""
    if last:
        survivor = world.service(rng=rng)
        await world.run(survivor, FOREVER)
        assert world.is_done(survivor)
        return 0
    died = 0
    try:
        await world.run(world.service(Points(rng.randrange(1, 30)), rng), world.now_ms + rng.randrange(1, 3000))
    except Crash:
        died = 1
        world.now_ms += rng.randrange(2000)
    if rng.random() < 0.4:
        world.reorg(rng.randrange(1, 8))
    if rng.random() < 0.3:
        world.inject(rng.randbytes(rng.randrange(200)))
    return died


def _check(world: World) -> None:
    assert_everything_took_effect_once(world)
    finalized = [heads.finalized.number for heads in world.heads if heads.finalized]
    assert finalized == sorted(finalized)


CAMPAIGNS: dict[str, Callable[[int], Awaitable[int]]] = {
    "memory": memory,
    "celestia": celestia,
    "celestia-points": _every_celestia_point,
    "ethereum": ethereum,
    "reorgs": reorgs,
}


async def _run(names: list[str], count: int, first: int) -> int:
    for name in names:
        started = time.monotonic()
        deaths = 0
        for seed in range(first, first + count):
            try:
                deaths += await CAMPAIGNS[name](seed)
            except BaseException:
                print(f"{name}: seed {seed} failed", flush=True)
                raise
        print(f"{name}: {count} seeds, {deaths} crashes, {time.monotonic() - started:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="seeds of each campaign (200)")
    parser.add_argument("--first", type=int, default=0, help="first seed (0)")
    parser.add_argument("--campaign", choices=sorted(CAMPAIGNS), action="append", help="only this one; may be repeated")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(asyncio.run(_run(arguments.campaign or sorted(CAMPAIGNS), arguments.count, arguments.first)))
