"""A disk that fills or fails under the running log: typed errors, nothing half done."""

import asyncio
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from sequencer.consensus.local import service
from sequencer.consensus.local.journal import Journal
from sequencer.consensus.local.service import LocalLog
from sequencer.consensus.metrics import LogMetrics
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.ports import Appended
from sequencer.testing.disk import SimulatedDisk
from tests.unit.consensus.log_entries import GENESIS, batch, flashblock

FOLDER = Path("/log")


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


@pytest.fixture
def log(disk: SimulatedDisk) -> Iterator[LocalLog]:
    with LocalLog(FOLDER, GENESIS, files=disk, segment_bytes=8192) as opened:
        yield opened


@pytest.mark.parametrize("fault", ["pwrite_no_space", "pwrite_short"])
async def test_no_space_in_the_middle_of_a_write_leaves_nothing(disk: SimulatedDisk, log: LocalLog, fault: str) -> None:
    await log.append([batch(0)], 0, 0)
    path = next(path for path in disk.paths() if path.suffix == ".seg")
    fd = disk.open(path)
    before = disk.pread(fd, disk.size(fd), 0)
    setattr(disk.faults, fault, 0)
    with pytest.raises(Temporary, match="no space"):
        await log.append([batch(1), batch(2)], 1, 0)
    assert disk.pread(fd, disk.size(fd), 0) == before
    assert log.next_position == 1
    assert await log.append([batch(5)], 1, 0) == Appended(1)


async def test_those_in_flight_behind_a_full_disk_are_temporary_too(disk: SimulatedDisk, log: LocalLog) -> None:
    disk.faults.pwrite_no_space = 0
    answers = await asyncio.gather(*(log.append([batch(i)], i, 0) for i in range(3)), return_exceptions=True)
    assert isinstance(answers[0], Temporary)
    assert all(isinstance(answer, Temporary) for answer in answers)
    assert await log.append([batch(0), batch(1)], 0, 0) == Appended(0)


async def test_a_failed_sync_is_fatal_now_and_for_ever(disk: SimulatedDisk, log: LocalLog) -> None:
    disk.faults.fdatasync_error = 0
    with pytest.raises(Fatal, match="syncing"):
        await log.append([batch(0)], 0, 0)
    with pytest.raises(Fatal, match="syncing"):
        await log.append([batch(0)], 0, 0)
    assert log.next_position == 0


async def test_a_full_disk_refuses_large_appends_and_still_takes_small_ones() -> None:
    disk = SimulatedDisk(capacity_bytes=8192)
    with LocalLog(FOLDER, GENESIS, files=disk, segment_bytes=8192) as log:
        await log.append([flashblock(1, 0, GENESIS, size_bytes=3000)], 0, 0)
        with pytest.raises(Temporary, match="allocate"):
            await log.append([flashblock(1, 1, GENESIS, size_bytes=3000)], 1, 0)
        assert await log.append([batch(1)], 1, 0) == Appended(1)
        disk.capacity_bytes = 1 << 20
        assert await log.append([flashblock(1, 1, GENESIS, size_bytes=3000)], 2, 0) == Appended(2)


async def test_a_fault_of_the_program_does_not_leave_appends_waiting(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int) -> None:
        raise KeyError("a bug")

    with LocalLog(FOLDER, GENESIS, files=disk) as log:
        monkeypatch.setattr(disk, "fdatasync", broken)
        with pytest.raises(Fatal, match="a bug"):
            await log.append([batch(0)], 0, 0)
        with pytest.raises(Fatal, match="a bug"):
            await log.append([batch(0)], 0, 0)


async def test_one_sync_covers_everything_that_queued_up(disk: SimulatedDisk, log: LocalLog) -> None:
    await log.append([batch(0)], 0, 0)
    before = disk.syncs
    await asyncio.gather(*(log.append([batch(i)], i, 0) for i in range(1, 41)))
    assert disk.syncs - before < 40


async def test_too_much_in_the_queue_is_temporary(
    disk: SimulatedDisk, log: LocalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "QUEUED_BYTES_LIMIT", 300)
    answers = await asyncio.gather(*(log.append([batch(i)], i, 0) for i in range(20)), return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, Appended)]
    assert 0 < len(taken) < 20
    assert all(isinstance(answer, Temporary) for answer in answers[len(taken) :])
    assert await log.append([batch(len(taken))], len(taken), 0) == Appended(len(taken))


async def test_a_cancelled_append_is_written_all_the_same(log: LocalLog) -> None:
    task = asyncio.ensure_future(log.append([batch(0)], 0, 0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await log.append([batch(0)], 0, 0) == Appended(0)
    assert log.next_position == 1


async def test_appends_before_opening_and_after_closing_are_fatal(disk: SimulatedDisk) -> None:
    log = LocalLog(FOLDER, GENESIS, files=disk)
    with pytest.raises(Fatal, match="not open"):
        await log.append([batch(0)], 0, 0)
    log.open()
    await log.append([batch(0)], 0, 0)
    log.close()
    log.close()
    with pytest.raises(Fatal, match="not open"):
        await log.append([batch(1)], 1, 0)


async def test_segments_are_allocated_ahead_and_survive_reopening(disk: SimulatedDisk) -> None:
    with LocalLog(FOLDER, GENESIS, files=disk, segment_bytes=8192) as log:
        for i in range(200):
            await log.append([batch(i)], i, 0)
        assert len([path for path in disk.paths() if path.suffix == ".seg"]) > 2
    assert [path.name for path in disk.paths() if path.suffix != ".seg"] == []
    with LocalLog(FOLDER, GENESIS, files=disk) as log:
        assert [entry for _, entry in log.read(0)] == [batch(i) for i in range(200)]


async def test_a_torn_tail_is_told_to_the_operator(disk: SimulatedDisk) -> None:
    with LocalLog(FOLDER, GENESIS, files=disk) as log:
        await log.append([batch(0)], 0, 0)
        await log.append([batch(1)], 1, 0)
    disk.flip(FOLDER / f"{0:020d}.seg", 4096 + 80)
    registry = CollectorRegistry()
    with capture_logs() as lines, LocalLog(FOLDER, GENESIS, files=disk, metrics=LogMetrics(registry)) as log:
        await log.append([batch(7)], log.next_position, 0)
    torn = next(line for line in lines if line["event"] == "log.torn_tail")
    assert torn["log_level"] == "warning"
    assert torn["dropped_bytes"] > 0
    assert registry.get_sample_value("sequencer_log_torn_bytes_total") == torn["dropped_bytes"]
    assert registry.get_sample_value("sequencer_log_entries_total") == 1


def refusing(disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Every one of these calls fails from now on."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for name in names:
        monkeypatch.setattr(disk, name, refuse)


@pytest.mark.parametrize("name", ["open", "pread"])
async def test_what_cannot_be_read_is_fatal(
    disk: SimulatedDisk, log: LocalLog, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    await log.append([batch(0)], 0, 0)
    refusing(disk, monkeypatch, name)
    with pytest.raises(Fatal, match="cannot be read"):
        list(log.read(0))
    with pytest.raises(Fatal, match="cannot be read"):
        await log.append([batch(0)], 0, 0)  # whether it is the same can only be read


def test_a_spare_segment_that_cannot_be_made_nor_swept_away(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(disk, FOLDER, GENESIS, salt=1, segment_bytes=8192)
    journal.open()
    refusing(disk, monkeypatch, "fallocate", "unlink", "close")
    with pytest.raises(Fatal, match="could not be allocated"):
        journal.prepare_spare()


def test_closing_never_fails(disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(disk, FOLDER, GENESIS, salt=1, segment_bytes=8192)
    journal.open()
    journal.prepare_spare()
    refusing(disk, monkeypatch, "unlink", "close")
    journal.close()
    monkeypatch.undo()
    journal = Journal(disk, FOLDER, GENESIS, salt=1, segment_bytes=8192)
    journal.open()
    journal.prepare_spare()
    journal.close()
