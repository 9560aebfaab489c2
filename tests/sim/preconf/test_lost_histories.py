"""A node whose log, guard or store was lost or replaced by an older copy: it refuses to lead, and says why."""

import copy
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import structlog

from sequencer.core.errors import Fatal
from sequencer.preconf.guard import GuardRefused
from tests.crash.steps import Steps
from tests.crash.world import World, quiet


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    quiet()
    yield
    structlog.configure(**before)


@pytest.fixture
def world() -> World:
    world = World(Random(3))
    world.live(Steps(), 30)
    world.crash()
    return world


def put_back(world: World, folder: str, before: World) -> None:
    """The files of one folder as they were then."""
    disk, older = world.disk, before.disk
    for names in (disk._names, disk._synced_names):
        for path in [path for path in names if path.parent.name == folder]:
            del names[path]
    found = {path: inode for path, inode in older._names.items() if path.parent.name == folder}
    disk._names.update(found)
    disk._synced_names.update(found)


def remove(world: World, folder: str) -> None:
    put_back(world, folder, World(Random(0)))


def backup(world: World) -> World:
    taken = copy.deepcopy(world)
    world.live(Steps(), 30)
    world.crash()
    return taken


def test_a_restart_with_everything_goes_on(world: World) -> None:
    backup(world)
    world.finish()


def test_a_missing_guard(world: World) -> None:
    remove(world, "guard")
    with pytest.raises(GuardRefused, match=r"is missing.*in the log or the block store.*sequencer guard import"):
        world.live(Steps(), 1)


def test_a_missing_guard_and_log(world: World) -> None:
    remove(world, "guard")
    remove(world, "log")
    with pytest.raises(GuardRefused, match=r"is missing.*in the log or the block store"):
        world.live(Steps(), 1)


def test_everything_gone_but_the_key_and_what_is_on_da(world: World) -> None:
    world.finish()
    for folder in ("guard", "log"):
        remove(world, folder)
    world.rows.writes.clear()
    world.rows.flushed = 0
    world.state.truncate(0)
    with pytest.raises(GuardRefused, match=r"is missing.*on DA"):
        world.live(Steps(), 1)


@pytest.mark.parametrize("lost", ["all", "the newest"])
def test_a_lost_log_is_refused_once_and_filled_up_from_the_store(world: World, lost: str) -> None:
    """Also a log from an older backup: this start refuses and alarms, and the next one has every promise."""
    older = backup(world)
    if lost == "all":
        remove(world, "log")
    else:
        put_back(world, "log", older)
    with pytest.raises(GuardRefused, match=r"rolled back.*entries .* were put back"):
        world.live(Steps(), 1)
    world.finish()


def test_what_was_signed_but_not_stored_cannot_be_filled_up(world: World) -> None:
    older = backup(world)
    put_back(world, "log", older)
    while world.rows.writes and len(world.rows.writes) > len(older.rows.writes):
        world.rows.writes.pop()
    with pytest.raises(GuardRefused, match=r"does not reach as far as the signatures.*Restore the log"):
        world.live(Steps(), 1)


def test_log_store_and_state_from_an_older_backup(world: World) -> None:
    """Only the guard is new, and it is enough."""
    older = backup(world)
    put_back(world, "log", older)
    world.rows, world.state = older.rows, older.state
    with pytest.raises(GuardRefused, match=r"rolled back.*the key has signed up to"):
        world.live(Steps(), 1)


def test_a_guard_from_an_older_backup(world: World) -> None:
    put_back(world, "guard", backup(world))
    with pytest.raises(GuardRefused, match=r"older.*sequencer guard import"):
        world.live(Steps(), 1)


def test_a_lost_store_is_made_again_with_the_same_signatures(world: World) -> None:
    """Store and state are derived: they may go as long as the log has everything."""
    world.rows.writes.clear()
    world.rows.flushed = 0
    world.state.truncate(0)
    try:
        world.finish()
    except Fatal as error:
        assert "derive the chain from DA" in str(error)  # noqa: PT017 - the log was shortened already
    world.check_signatures()


@pytest.mark.parametrize("folder", ["log", "guard"])
def test_refusing_changes_nothing(world: World, folder: str) -> None:
    """Once the right files are back, the node goes on."""
    older = backup(world)
    right = copy.deepcopy(world)
    put_back(world, folder, older)
    with pytest.raises(GuardRefused):
        world.live(Steps(), 1)
    put_back(world, folder, right)
    world.finish()
    assert Path("/node/guard") in {path.parent for path in world.disk.paths()}
