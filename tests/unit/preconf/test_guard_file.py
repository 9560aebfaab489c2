"""The guard's file: durable, torn at most in what nobody was told, and refused when it is not the right one."""

import errno
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from sequencer.core.errors import Fatal
from sequencer.preconf import guard_format as fmt
from sequencer.preconf.guard import GuardRefused, GuardState, SignedBatch
from sequencer.preconf.guard_file import GuardFile, find_guards
from sequencer.preconf.guard_format import GuardedChain, Home
from sequencer.testing.disk import SimulatedDisk
from tests.unit.preconf.chains import CHAIN, GENESIS, HOME, KEY, batch, chain

FOLDER = Path("/guard")
LONG = chain(*[(block, 0) for block in range(1, 400)])


def guard_on(disk: SimulatedDisk, home: Home = HOME, of: GuardedChain = CHAIN) -> GuardFile:
    return GuardFile(FOLDER, of, disk, lambda _: home)


@pytest.fixture
def disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    file = guard_on(disk)
    file.create()
    file.close()
    return disk


def test_it_remembers_more_records_than_it_has_slots(disk: SimulatedDisk) -> None:
    file = guard_on(disk)
    file.open()
    state = GuardState()
    for flashblock in LONG:
        state = state.extended([flashblock])
        file.write(state, sync=flashblock.block_number % 2 == 0)
    file.close()
    again = guard_on(disk)
    again.open()
    assert again.state == state


def test_it_remembers_the_newest_batches(disk: SimulatedDisk) -> None:
    file = guard_on(disk)
    file.open()
    for sequence in range(1, fmt.BATCHES + 50):
        file.write_batch(SignedBatch(sequence, batch(sequence).struct_hash))
    again = guard_on(disk)
    again.open()
    assert again.batches == file.batches
    assert min(again.batches) == 50
    assert max(again.batches) == fmt.BATCHES + 49


@pytest.mark.parametrize("seed", range(40))
def test_power_loss_leaves_the_last_durable_record_or_a_later_one(disk: SimulatedDisk, seed: int) -> None:
    random = Random(seed)
    file = guard_on(disk)
    file.open()
    state, durable = GuardState(), 0
    written = random.randint(1, 300)
    for number, flashblock in enumerate(LONG[:written], 1):
        state = state.extended([flashblock])
        sync = random.random() < 0.5
        file.write(state, sync=sync)
        durable = number if sync else durable
    disk.power_loss(random)
    again = guard_on(disk)
    again.open()
    found = again.state.newest.block_number if again.state.newest else 0
    assert durable <= found <= written


@pytest.mark.parametrize("seed", range(20))
def test_power_loss_while_it_is_made_leaves_none_or_a_good_one(seed: int) -> None:
    random = Random(seed)
    disk = SimulatedDisk()
    kept = disk.fdatasync
    stop_at = random.randint(0, 1)

    def dies(fd: int) -> None:
        nonlocal stop_at
        if stop_at == 0:
            raise KeyboardInterrupt
        stop_at -= 1
        kept(fd)

    disk.fdatasync = dies  # type: ignore[method-assign]
    with suppress(KeyboardInterrupt):
        guard_on(disk).create()
    disk.fdatasync = kept  # type: ignore[method-assign]
    disk.power_loss(random)
    file = guard_on(disk)
    if file.exists:
        file.open()
    else:
        file.create()
    assert file.state == GuardState()


def test_a_copy_is_refused_and_says_what_to_do(disk: SimulatedDisk) -> None:
    with pytest.raises(GuardRefused, match=r"is a copy.*sequencer guard import"):
        guard_on(disk, Home(2, HOME.machine)).open()


def test_a_cloned_disk_is_refused(disk: SimulatedDisk) -> None:
    with pytest.raises(GuardRefused, match="another machine"):
        guard_on(disk, Home(HOME.inode, b"m" * 16)).open()


def test_a_copy_counts_once_it_is_told_so(disk: SimulatedDisk) -> None:
    elsewhere = Home(2, b"m" * 16)
    copy = guard_on(disk, elsewhere)
    copy.open(anywhere=True)
    copy.settle_here()
    copy.close()
    guard_on(disk, elsewhere).open()
    with pytest.raises(GuardRefused, match="copy"):
        guard_on(disk, HOME).open()


def test_the_guard_of_another_genesis_is_refused(disk: SimulatedDisk) -> None:
    with pytest.raises(GuardRefused, match="not this node's"):
        guard_on(disk, of=GuardedChain(KEY, 7, GENESIS[::-1])).open()


@pytest.mark.parametrize("offset", [0, 9, 13, 60, 100])
def test_a_damaged_header_is_refused(disk: SimulatedDisk, offset: int) -> None:
    disk.flip(FOLDER / CHAIN.file_name, offset)
    with pytest.raises(GuardRefused, match=r"damaged|version"):
        guard_on(disk).open()
    with pytest.raises(GuardRefused):
        find_guards(FOLDER, disk, lambda _: HOME)


def test_a_guard_without_a_valid_record_is_refused(disk: SimulatedDisk) -> None:
    disk.flip(FOLDER / CHAIN.file_name, fmt.slot_offset(0))
    with pytest.raises(GuardRefused, match="none of its records"):
        guard_on(disk).open()


def test_a_shortened_file_is_refused(disk: SimulatedDisk) -> None:
    inode = disk._names[FOLDER / CHAIN.file_name]
    del inode.content[fmt.FILE_BYTES // 2 :]
    with pytest.raises(GuardRefused, match="part of one"):
        guard_on(disk).open()


def test_a_failed_sync_ends_all_signing(disk: SimulatedDisk) -> None:
    file = guard_on(disk)
    file.open()
    disk.faults.fdatasync_error = 0
    with pytest.raises(Fatal, match="nothing may be signed"):
        file.write(GuardState().extended(LONG[:1]))
    with pytest.raises(Fatal, match="nothing may be signed"):
        file.write(GuardState().extended(LONG[:1]))
    file.close()


def no_answer(*_: object) -> None:
    raise OSError(errno.EIO, "no answer")


@pytest.mark.parametrize("operation", ["make_dir", "listdir"])
def test_a_folder_that_cannot_be_read_is_told_in_the_nodes_words(
    disk: SimulatedDisk, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, operation, no_answer)
    with pytest.raises(Fatal, match="no answer"):
        _ = guard_on(disk).exists
    with pytest.raises(Fatal, match="no answer"):
        find_guards(FOLDER, disk, lambda _: HOME)


@pytest.mark.parametrize("operation", ["open", "size", "pread", "close"])
def test_a_guard_that_cannot_be_found_out_about_is_told_in_the_nodes_words(
    disk: SimulatedDisk, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, operation, no_answer)
    with pytest.raises(Fatal, match="no answer"):
        find_guards(FOLDER, disk, lambda _: HOME)


def test_a_home_that_cannot_be_found_out_settles_nothing(disk: SimulatedDisk) -> None:
    file = guard_on(disk)
    file.open()
    before = disk.syncs
    file._home_of = no_answer  # type: ignore[assignment]
    with pytest.raises(Fatal, match="no answer"):
        file.settle_here()
    assert disk.syncs == before
    file.close()


def test_a_file_that_cannot_be_closed_is_told_in_the_nodes_words(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = guard_on(disk)
    file.open()
    monkeypatch.setattr(disk, "close", no_answer)
    with pytest.raises(Fatal, match="no answer"):
        file.close()
    file.close()  # it is let go of all the same


def test_a_full_disk_does_not_stop_it(disk: SimulatedDisk) -> None:
    file = guard_on(disk)
    file.open()
    disk.capacity_bytes = 0
    file.write(GuardState().extended(LONG[:3]))
    file.write_batch(SignedBatch(1, GENESIS))


def test_the_layout_is_the_documented_one() -> None:
    """Golden: a change of these bytes needs a new version, or old guards could be misread."""
    state = GuardState().extended(LONG[:2])
    header, slot = fmt.encode_header(CHAIN, HOME), fmt.encode_slot(3, state)
    assert (len(header), len(slot), fmt.FILE_BYTES) == (124, 77, 135168)
    assert header[:12].hex() == b"sigguard".hex() + "00000002"
    newest = LONG[1]
    assert slot[:9].hex() == "0000000000000003" + "01"
    assert slot[9:41].hex() == f"{0:016x}{1:016x}{0:08x}{2:016x}{0:08x}"[:64]
    assert newest.struct_hash in slot
