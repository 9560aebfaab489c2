"""A sync from DA that dies anywhere comes to the same end; one whose key may have signed more does not lead."""

from collections.abc import Iterator

import pytest
import structlog

from sequencer.core.errors import ConfigError, Fatal
from sequencer.preconf.guard import GuardRefused, LogRolledBack
from tests.crash.da_sync import Synced, campaign, check_goes_on, empty, posted
from tests.crash.ledger_engine import Committed
from tests.crash.simulated import Kind
from tests.crash.steps import DurableRows, Steps
from tests.crash.world import World, quiet


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="module")
def origin() -> World:
    before = structlog.get_config()
    quiet()
    world = posted(seed=3)
    structlog.configure(**before)
    return world


def lose_all_but_the_guard(world: Synced) -> None:
    """Every disk but the guard's is new."""
    world.rows, world.state = DurableRows(), Committed()
    for path in [path for path in world.disk.paths() if path.parent.name == "log"]:
        world.disk.unlink(path)


@pytest.mark.parametrize(("kind", "seed"), [("kill", 1), ("power", 2)])
def test_a_sync_that_dies_anywhere_comes_to_the_same_end(kind: Kind, seed: int) -> None:
    result = campaign(kind, seed, every=9)
    assert result["runs"] > 4
    assert result["promises"]["issued"] == 60


def test_without_a_guard_the_operators_word_is_needed(origin: World) -> None:
    world = empty(origin, 1)
    with pytest.raises(GuardRefused, match=r"is missing.*guard import FILE.*--signed-nothing-beyond-da"):
        world.sync(Steps(), signed_nothing_beyond=False)
    assert world.signed == origin.signed
    assert world.sync(Steps())
    check_goes_on(world)


def test_a_sync_that_is_over_is_not_done_again(origin: World) -> None:
    world = empty(origin, 1)
    assert world.sync(Steps())
    counted = Steps()
    assert world.sync(counted, signed_nothing_beyond=False)
    assert "store write" not in counted.taken
    check_goes_on(world)
    assert world.sync(Steps(), signed_nothing_beyond=False)


def test_a_guard_that_knows_everything_is_enough(origin: World) -> None:
    world = empty(origin, 1)
    assert world.sync(Steps())
    lose_all_but_the_guard(world)
    assert world.sync(Steps(), signed_nothing_beyond=False)
    check_goes_on(world)


def test_a_guard_that_knows_more_than_da_forbids_to_lead(origin: World) -> None:
    world = empty(origin, 1)
    assert world.sync(Steps())
    lose_all_but_the_guard(world)
    world.layer._heights.pop()
    for word in (False, True):
        with pytest.raises(LogRolledBack, match="Restore the data directory"):
            world.sync(Steps(), signed_nothing_beyond=word)


def test_a_guard_that_is_older_than_da_needs_the_operators_word(origin: World) -> None:
    world = empty(origin, 1)
    newest = world.layer._heights.pop()
    assert world.sync(Steps())
    lose_all_but_the_guard(world)
    world.layer._heights.append(newest)
    with pytest.raises(GuardRefused, match="knows signatures up to flashblock"):
        world.sync(Steps(), signed_nothing_beyond=False)
    assert world.sync(Steps())
    check_goes_on(world)


def test_a_batch_that_comes_while_the_node_watches_is_another_nodes(origin: World) -> None:
    world = empty(origin, 1)
    newest, reads = world.layer._heights.pop(), []

    async def head() -> int:
        reads.append(len(world.layer._heights))
        if len(reads) == 4:  # the first look at the newest height, the second read, and then the watch begins
            world.layer._heights.append(newest)
        return len(world.layer._heights)

    world.layer.head = head  # type: ignore[method-assign]
    with pytest.raises(GuardRefused, match="another node posts for this chain"):
        world.sync(Steps())


def test_a_folder_with_blocks_and_no_log_is_refused(origin: World) -> None:
    world = empty(origin, 1)
    assert world.sync(Steps())
    for path in [path for path in world.disk.paths() if path.parent.name == "log"]:
        world.disk.unlink(path)
    with pytest.raises(ConfigError, match="no log of them"):
        world.sync(Steps())


def test_a_layer_that_lacks_a_batch_is_refused(origin: World) -> None:
    world = empty(origin, 1)
    world.layer._heights[0] = []
    with pytest.raises(Fatal, match="lacks the batch before"):
        world.sync(Steps())
