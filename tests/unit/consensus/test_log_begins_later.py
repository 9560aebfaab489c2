"""A log of a chain that was taken over from DA begins later, and then is a log like any other."""

from pathlib import Path

import pytest

from sequencer.consensus.local.service import LocalLog
from sequencer.core.entries import Takeover
from sequencer.core.errors import Fatal
from sequencer.core.ports import Appended, Refused
from sequencer.testing.disk import SimulatedDisk
from tests.unit.consensus.log_entries import GENESIS, batch

FOLDER = Path("/log")


def opened(disk: SimulatedDisk) -> LocalLog:
    return LocalLog(FOLDER, GENESIS, files=disk, segment_bytes=8192)


async def test_an_empty_log_begins_where_it_is_told() -> None:
    disk = SimulatedDisk()
    with opened(disk) as log:
        log.begin_at(7, 3)
        assert (log.first_position, log.next_position, log.term) == (7, 7, 3)
        assert isinstance(await log.append([batch(0)], 6, 3), Refused)
        assert isinstance(await log.append([Takeover(0, 3)], 7, 3), Refused), "the term must rise"
        assert await log.append([Takeover(0, 4)], 7, 4) == Appended(7)
    with opened(disk) as log:
        assert (log.first_position, log.next_position, log.term) == (7, 8, 4)
        assert list(log.read(7)) == [(7, Takeover(0, 4))]


async def test_the_term_outlives_a_restart_before_the_first_entry() -> None:
    disk = SimulatedDisk()
    with opened(disk) as log:
        log.begin_at(1, 9)
    with opened(disk) as log:
        assert (log.first_position, log.next_position, log.term) == (1, 1, 9)


async def test_a_log_with_entries_cannot_begin_again() -> None:
    with opened(SimulatedDisk()) as log:
        await log.append([batch(0)], 0, 0)
        with pytest.raises(Fatal, match="holds entries"):
            log.begin_at(7, 3)
