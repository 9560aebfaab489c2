"""The data directory, the stop signals and the watch on the disk."""

import asyncio
import os
import signal
import stat
from pathlib import Path

import pytest

from sequencer.core.errors import ConfigError, Fatal, Temporary
from sequencer.lifecycle import (
    DiskLevel,
    DiskLimits,
    disk_level,
    free_space_bytes,
    hold_data_directory,
    stop_on_signals,
    watch_disk,
    write_whole,
)

LIMITS = DiskLimits(low_bytes=100, full_bytes=50, hysteresis_bytes=20)


def test_makes_a_private_folder_with_a_format_version(tmp_path: Path) -> None:
    with hold_data_directory(tmp_path / "deep" / "chain") as directory:
        assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
        assert (directory.path / "format").read_text() == "1\n"
        assert directory.genesis_file.parent == directory.path


def test_holds_off_a_second_process_and_lets_go(tmp_path: Path) -> None:
    with (
        hold_data_directory(tmp_path),
        pytest.raises(Temporary, match="another process uses"),
        hold_data_directory(tmp_path, wait_s=0.05),
    ):
        pass
    with hold_data_directory(tmp_path, wait_s=0):
        pass


def test_refuses_another_format(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("2\n")
    with pytest.raises(ConfigError, match="format version 2, this program uses 1"), hold_data_directory(tmp_path):
        pass


def test_refuses_a_chain_without_format(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(ConfigError, match="no format version"), hold_data_directory(tmp_path):
        pass


def test_a_genesis_that_somebody_put_there_is_no_chain_yet(tmp_path: Path) -> None:
    (tmp_path / "genesis.json").write_text("{}")
    with hold_data_directory(tmp_path) as directory:
        assert (directory.path / "format").exists()


def test_refuses_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught, hold_data_directory(tmp_path / "file"):
        pass
    assert caught.value.key == "node.data_dir"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "genesis.json"
    write_whole(file, "old")
    write_whole(file, "new")
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_asks_to_stop(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("free_bytes", "before", "after"),
    [
        (1000, DiskLevel.AMPLE, DiskLevel.AMPLE),
        (100, DiskLevel.AMPLE, DiskLevel.AMPLE),
        (99, DiskLevel.AMPLE, DiskLevel.LOW),
        (119, DiskLevel.LOW, DiskLevel.LOW),
        (120, DiskLevel.LOW, DiskLevel.AMPLE),
        (49, DiskLevel.AMPLE, DiskLevel.FULL),
        (49, DiskLevel.LOW, DiskLevel.FULL),
        (69, DiskLevel.FULL, DiskLevel.FULL),
        (70, DiskLevel.FULL, DiskLevel.LOW),
        (120, DiskLevel.FULL, DiskLevel.AMPLE),
    ],
)
def test_levels_do_not_flap(free_bytes: int, before: DiskLevel, after: DiskLevel) -> None:
    assert disk_level(free_bytes, before, LIMITS) is after


async def test_the_watch_reports_a_change_of_level(tmp_path: Path) -> None:
    free = free_space_bytes(tmp_path)
    seen: asyncio.Queue[tuple[DiskLevel, int]] = asyncio.Queue()
    limits = DiskLimits(low_bytes=free * 2, full_bytes=0, hysteresis_bytes=0)
    async with asyncio.timeout(10):
        watch = asyncio.create_task(watch_disk(tmp_path, limits, lambda *change: seen.put_nowait(change), 0.01))
        level, free_bytes = await seen.get()
        watch.cancel()
    assert level is DiskLevel.LOW
    assert free_bytes > 0


async def test_a_folder_that_is_gone_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="is gone"):
        await watch_disk(tmp_path / "none", LIMITS, lambda *_: None)
