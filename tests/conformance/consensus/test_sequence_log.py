"""What every engine of the sequence log must do. Each engine is one row of the fixture."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sequencer.consensus.local.service import LocalLog
from sequencer.consensus.memory import MemoryLog
from sequencer.core.entries import Entry
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.ports import Appended, Refused, SequenceLog
from tests.unit.consensus.log_entries import GENESIS, batch, chain, takeover


@pytest.fixture(params=["memory", "local"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SequenceLog]:
    if request.param == "memory":
        yield MemoryLog()
        return
    with LocalLog(tmp_path / "log", GENESIS, segment_bytes=8192) as local:
        yield local


def contents(log: SequenceLog, position: int = 0) -> list[tuple[int, Entry]]:
    return list(log.read(position))


async def test_an_empty_log_begins_at_position_zero(log: SequenceLog) -> None:
    assert (log.first_position, log.next_position, log.term) == (0, 0, 0)
    assert contents(log) == []


async def test_entries_come_back_as_they_were_appended(log: SequenceLog) -> None:
    entries = chain(7)
    assert await log.append(entries[:5], 0, 1) == Appended(0)
    assert await log.append(entries[5:], 5, 1) == Appended(5)
    assert log.next_position == len(entries)
    assert contents(log) == list(enumerate(entries))
    assert contents(log, 6) == list(enumerate(entries))[6:]
    assert contents(log, len(entries)) == contents(log, len(entries) + 9) == []


async def test_an_equal_append_is_taken_as_done_even_under_an_old_fence(log: SequenceLog) -> None:
    entries = [takeover(1), batch(0), batch(1)]
    await log.append(entries, 0, 1)
    await log.append([takeover(9)], 3, 9)
    assert await log.append(entries, 0, 1) == Appended(0)
    assert await log.append(entries[1:], 1, 0) == Appended(1)
    assert log.next_position == 4


async def test_an_append_that_overlaps_adds_only_what_is_new(log: SequenceLog) -> None:
    await log.append([batch(0), batch(1)], 0, 0)
    assert await log.append([batch(1), batch(2)], 1, 0) == Appended(1)
    assert [entry for _, entry in contents(log)] == [batch(0), batch(1), batch(2)]


async def test_another_entry_at_a_taken_position_is_refused_whole(log: SequenceLog) -> None:
    await log.append([batch(0), batch(1)], 0, 0)
    assert isinstance(await log.append([batch(0), batch(7), batch(8)], 0, 0), Refused)
    assert [entry for _, entry in contents(log)] == [batch(0), batch(1)]


async def test_whoever_asked_is_told_once_the_entries_are_durable_and_can_be_read(log: SequenceLog) -> None:
    told: list[list[tuple[int, Entry]]] = []
    await log.append([batch(0), batch(1)], 0, 0, lambda: told.append(contents(log)))
    await log.append([batch(0), batch(1)], 0, 0, lambda: told.append(contents(log)))
    assert told == [[(0, batch(0)), (1, batch(1))]] * 2


async def test_nobody_is_told_of_an_append_that_failed(log: SequenceLog) -> None:
    told: list[int] = []
    await log.append([batch(0)], 0, 0)
    await log.append([batch(7)], 0, 0, lambda: told.append(0))
    with pytest.raises(Temporary):
        await log.append([batch(5)], 5, 0, lambda: told.append(5))
    assert told == []


async def test_a_gap_is_temporary_because_what_should_fill_it_may_still_come(log: SequenceLog) -> None:
    with pytest.raises(Temporary):
        await log.append([batch(1)], 1, 0)
    await log.append([batch(0)], 0, 0)
    assert await log.append([batch(1)], 1, 0) == Appended(1)


@pytest.mark.parametrize(
    ("entries", "fence", "taken"),
    [
        ([batch(9)], 4, False),
        ([batch(9)], 5, True),
        ([batch(9)], 6, True),
        ([takeover(5)], 5, False),
        ([takeover(4)], 9, False),
        ([takeover(6)], 5, False),
        ([takeover(6)], 6, True),
        ([takeover(6), batch(9)], 6, True),
        ([takeover(6), takeover(7)], 7, True),
        ([takeover(6), takeover(7)], 6, False),
        ([takeover(6), takeover(6)], 7, False),
    ],
)
async def test_the_fence_against_term_five(log: SequenceLog, entries: list[Entry], fence: int, taken: bool) -> None:
    await log.append([takeover(5)], 0, 5)
    assert isinstance(await log.append(entries, 1, fence), Appended if taken else Refused)
    assert log.next_position == (1 + len(entries) if taken else 1)


async def test_the_term_rises_with_each_takeover(log: SequenceLog) -> None:
    await log.append([takeover(3), batch(0), takeover(8)], 0, 8)
    assert log.term == 8


async def test_several_appends_in_flight_keep_their_order(log: SequenceLog) -> None:
    answers = await asyncio.gather(*(log.append([batch(i)], i, 0) for i in range(50)))
    assert answers == [Appended(i) for i in range(50)]
    assert [entry for _, entry in contents(log)] == [batch(i) for i in range(50)]


async def test_a_repeat_that_is_in_flight_with_its_original_is_one_entry(log: SequenceLog) -> None:
    answers = await asyncio.gather(*(log.append([batch(0)], 0, 0) for _ in range(3)))
    assert answers == [Appended(0)] * 3
    assert log.next_position == 1


async def test_reading_goes_on_with_what_is_appended_meanwhile(log: SequenceLog) -> None:
    await log.append([batch(0)], 0, 0)
    reader = log.read(0)
    assert next(reader) == (0, batch(0))
    await log.append([batch(1)], 1, 0)
    assert next(reader) == (1, batch(1))
    assert next(reader, None) is None


async def test_an_entry_beyond_any_sensible_size_is_refused(log: SequenceLog) -> None:
    from tests.unit.consensus.log_entries import flashblock

    answer = await log.append([flashblock(1, 0, GENESIS, size_bytes=9 << 20)], 0, 0)
    assert isinstance(answer, Refused)
    assert log.next_position == 0


async def test_retained_entries_stay_readable_and_the_rest_is_refused(log: SequenceLog) -> None:
    for i in range(300):
        await log.append([batch(i)], i, 0)
    log.retain(250)
    first = log.first_position
    assert 0 < first <= 250
    assert contents(log, first) == [(i, batch(i)) for i in range(first, 300)]
    with pytest.raises(Fatal):
        contents(log, first - 1)
    assert isinstance(await log.append([batch(0)], 0, 0), Refused)
    assert await log.append([batch(299)], 299, 0) == Appended(299)


async def test_retaining_everything_keeps_the_newest_and_goes_on(log: SequenceLog) -> None:
    await log.append([takeover(4)], 0, 4)
    for i in range(1, 300):
        await log.append([batch(i)], i, 4)
    log.retain(10**6)
    assert log.first_position < log.next_position == 300
    assert log.term == 4
    assert await log.append([batch(300)], 300, 4) == Appended(300)


async def test_appending_nothing_is_a_mistake_of_the_caller(log: SequenceLog) -> None:
    with pytest.raises(ValueError, match="nothing"):
        await log.append([], 0, 0)
