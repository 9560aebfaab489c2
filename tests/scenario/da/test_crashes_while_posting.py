"""I4, every block is posted and has effect exactly once: the process dies between every two steps.

First exhaustively: for every way in which a submit can end, one run is counted and then repeated with a
crash at each of its points. Then at random: many crashes, faults and reorgs in one life, from a seed.
"""

import pytest

from da.memory import Fault, MemoryLayer
from sequencer.testing.celestia import Fault as CelestiaFault
from tests.crash import da as campaign
from tests.unit.da.chains import Shape, make_batches
from tests.unit.da.world import Crash, Points, World, assert_everything_took_effect_once

BATCHES = make_batches(2, shape=Shape(1, 2, 200))
FOREVER = 10**9


def new_world(fault: Fault) -> World:
    """Two batches of several blobs each, on a layer that is final after three heights."""
    world = World(MemoryLayer(blob_size_bytes=500, final_after=3), BATCHES)
    world.layer.plan([fault])
    return world


@pytest.mark.parametrize("fault", Fault)
async def test_a_crash_at_every_point_leaves_one_copy_of_everything(fault: Fault) -> None:
    points = Points()
    whole = new_world(fault)
    await whole.run(whole.service(points), FOREVER)
    assert_everything_took_effect_once(whole)
    assert points.passed > 20
    for die_at in range(1, points.passed + 1):
        world = new_world(fault)
        with pytest.raises(Crash):
            await world.run(world.service(Points(die_at)), FOREVER)
        survivor = world.service()
        await world.run(survivor, FOREVER)
        assert world.is_done(survivor)
        assert_everything_took_effect_once(world)


@pytest.mark.parametrize("fault", [CelestiaFault.TIMEOUT_LATE, CelestiaFault.NEVER_LANDS, CelestiaFault.LANDS_TWICE])
async def test_crashes_at_points_on_celestia_leave_one_copy_of_everything(fault: CelestiaFault) -> None:
    assert await campaign.celestia_points(fault, every=9) > 5


@pytest.mark.parametrize("seed", range(20))
async def test_many_crashes_and_faults_on_celestia_leave_one_effective_copy(seed: int) -> None:
    await campaign.celestia(seed)


@pytest.mark.parametrize("seed", range(60))
async def test_many_crashes_faults_and_reorgs_leave_one_effective_copy_of_everything(seed: int) -> None:
    await campaign.memory(seed)
