"""The journal's file: what was written is there after a crash, whatever became of the end of the file."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mempool.journal import Journal, Recovered
from sequencer.core.errors import Temporary
from sequencer.core.transaction import Arrival, PooledTransaction
from tests.unit.mempool.makers import transfer

LEAP = 2**20


def pooled(number: int) -> PooledTransaction:
    return PooledTransaction(transfer(number, size=100 + number), Arrival(number, 5_000 + number, number % 3))


def reopened(path: Path) -> Recovered:
    journal = Journal(path)
    try:
        return journal.open()
    finally:
        journal.close()


def written(path: Path, *batches: range) -> None:
    journal = Journal(path)
    journal.open()
    for batch in batches:
        journal.append(map(pooled, batch))
    journal.close()


def numbers(recovered: Recovered) -> list[int]:
    return [record.arrival.sequence for record in recovered.records]


def test_a_new_journal_is_empty(tmp_path: Path) -> None:
    assert reopened(tmp_path / "journal") == Recovered([], 0, 0)
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


def test_what_was_written_comes_back_in_order(tmp_path: Path) -> None:
    written(tmp_path / "journal", range(3), range(3, 5))
    recovered = reopened(tmp_path / "journal")
    assert [(r.raw, r.arrival) for r in recovered.records] == [
        (p.transaction.raw, p.arrival) for p in map(pooled, range(5))
    ]
    assert recovered.next_sequence == 5 + LEAP
    written(tmp_path / "journal", range(5, 6))
    assert numbers(reopened(tmp_path / "journal")) == list(range(6))


def test_it_is_read_without_being_closed(tmp_path: Path) -> None:
    """As after kill -9."""
    journal = Journal(tmp_path / "journal")
    journal.open()
    journal.append(map(pooled, range(4)))
    assert numbers(reopened(tmp_path / "journal")) == list(range(4))
    journal.close()


@given(cut=st.integers(0, 500), data=st.data())
def test_a_torn_or_damaged_end_is_cut_off_and_the_rest_is_kept(
    tmp_path_factory: pytest.TempPathFactory, cut: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal"
    written(path, range(4))
    content = bytearray(path.read_bytes())
    cut = min(cut, len(content))
    del content[cut:]
    if content and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    content += data.draw(st.binary(max_size=40))
    path.write_bytes(content)
    first = numbers(reopened(path))
    assert first == list(range(len(first))), "a prefix of what was written, and nothing else"
    written(path, range(4, 6))
    assert numbers(reopened(path)) == [*first, 4, 5], "it goes on behind what was kept"


def test_damage_is_told(tmp_path: Path) -> None:
    written(tmp_path / "journal", range(2))
    with (tmp_path / "journal").open("ab") as file:
        file.write(b"torn")
    assert reopened(tmp_path / "journal").damaged_bytes == 4
    assert reopened(tmp_path / "journal").damaged_bytes == 0


def test_written_anew_it_holds_the_pool_and_what_came_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.open()
    journal.append(map(pooled, range(10)))
    before = journal.size_bytes
    journal.begin_copy()
    journal.append([pooled(10)])
    journal.write_copy([pooled(3), pooled(7)])
    journal.append([pooled(11)])
    journal.finish_copy()
    journal.append([pooled(12)])
    assert journal.size_bytes < before
    journal.close()
    recovered = reopened(path)
    assert numbers(recovered) == [3, 7, 10, 11, 12]
    assert [file.name for file in tmp_path.iterdir()] == ["journal"]


def test_numbers_that_were_written_once_never_come_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path, range(10))
    journal = Journal(path)
    after = journal.open().next_sequence
    journal.begin_copy()
    journal.write_copy([])
    journal.finish_copy()
    journal.close()
    assert reopened(path).next_sequence == after + LEAP


def test_a_crash_while_it_is_written_anew_leaves_the_old_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.open()
    journal.append(map(pooled, range(3)))
    journal.begin_copy()
    journal.write_copy([pooled(2)])
    assert numbers(reopened(tmp_path / "journal")) == [0, 1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["journal"], "the unfinished copy is swept away"
    journal.close()


def test_a_disk_that_refuses_is_temporary_and_leaves_no_torn_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.open()
    journal.append([pooled(0)])
    write = os.write

    def full(file: int, content: bytes) -> int:
        write(file, content[:7])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Temporary, match="No space left"):
        journal.append([pooled(1)])
    monkeypatch.undo()
    journal.append([pooled(2)])
    journal.close()
    assert numbers(reopened(path)) == [0, 2]


def test_a_copy_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.open()
    journal.append(map(pooled, range(3)))

    def full(file: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    journal.begin_copy()
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Temporary):
        journal.write_copy([pooled(1)])
    monkeypatch.undo()
    journal.append([pooled(3)])
    journal.close()
    assert numbers(reopened(path)) == [0, 1, 2, 3]


def test_another_file_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"something else entirely, longer than a header")
    assert reopened(tmp_path / "journal").records == []
