"""The journal's file: what was written is there after a crash, whatever became of the end of the file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mempool.journal import Journal, Recovered
from sequencer.consensus.local.files import OS_FILES, OsFiles
from sequencer.core.errors import Temporary
from sequencer.core.transaction import Arrival, PooledTransaction
from tests.unit.mempool.makers import transfer

LEAP = 2**20


class Refusing(OsFiles):
    """A disk on which every call named in ``refused`` fails; a write leaves a torn piece behind."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)

    def _refuse(self, name: str) -> None:
        if name in self.refused:
            raise OSError(28, "No space left on device")

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        if "pwrite" in self.refused:
            super().pwrite(fd, data[:7], offset)
        self._refuse("pwrite")
        return super().pwrite(fd, data, offset)

    def truncate(self, fd: int, size: int) -> None:
        self._refuse("truncate")
        super().truncate(fd, size)

    def fdatasync(self, fd: int) -> None:
        self._refuse("fdatasync")
        super().fdatasync(fd)

    def fsync_dir(self, path: Path) -> None:
        self._refuse("fsync_dir")
        super().fsync_dir(path)

    def rename(self, old: Path, new: Path) -> None:
        self._refuse("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._refuse("unlink")
        super().unlink(path)

    def close(self, fd: int) -> None:
        super().close(fd)
        self._refuse("close")


def pooled(number: int) -> PooledTransaction:
    return PooledTransaction(transfer(number, size=100 + number), Arrival(number, 5_000 + number, number % 3))


def reopened(path: Path) -> Recovered:
    journal = Journal(path, OS_FILES)
    try:
        return journal.open()
    finally:
        journal.close()


def written(path: Path, *batches: range) -> None:
    journal = Journal(path, OS_FILES)
    journal.open()
    for batch in batches:
        journal.append(map(pooled, batch))
    journal.close()


def append_durably(journal: Journal, *accepted: PooledTransaction) -> None:
    journal.append(accepted)
    journal.sync()


def write_anew(journal: Journal, *contents: PooledTransaction) -> None:
    journal.begin_copy()
    journal.write_copy(contents)
    journal.finish_copy()


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
    journal = Journal(tmp_path / "journal", OS_FILES)
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
    journal = Journal(path, OS_FILES)
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
    journal = Journal(path, OS_FILES)
    after = journal.open().next_sequence
    journal.begin_copy()
    journal.write_copy([])
    journal.finish_copy()
    journal.close()
    assert reopened(path).next_sequence == after + LEAP


def test_a_crash_while_it_is_written_anew_leaves_the_old_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", OS_FILES)
    journal.open()
    journal.append(map(pooled, range(3)))
    journal.begin_copy()
    journal.write_copy([pooled(2)])
    assert numbers(reopened(tmp_path / "journal")) == [0, 1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["journal"], "the unfinished copy is swept away"
    journal.close()


@pytest.mark.parametrize("refused", [("pwrite",), ("pwrite", "truncate")], ids="-".join)
def test_a_disk_that_refuses_is_temporary_and_hides_no_later_record(tmp_path: Path, refused: tuple[str, ...]) -> None:
    """Whether or not the torn piece can be taken away at once."""
    path, files = tmp_path / "journal", Refusing()
    journal = Journal(path, files)
    journal.open()
    journal.append([pooled(0)])
    files.refused.update(refused)
    with pytest.raises(Temporary, match="No space left"):
        journal.append([pooled(1)])
    files.refused.clear()
    journal.append([pooled(2)])
    journal.close()
    assert numbers(reopened(path)) == [0, 2]


@pytest.mark.parametrize("refused", ["pwrite", "fdatasync"])
def test_what_cannot_be_trusted_is_not_synced_before_it_is_written_anew(tmp_path: Path, refused: str) -> None:
    """A failed sync leaves pages that count as clean: the next one would succeed and prove nothing."""
    path, files = tmp_path / "journal", Refusing()
    journal = Journal(path, files)
    journal.open()
    journal.append([pooled(0)])
    journal.sync()
    files.refused.add(refused)
    with pytest.raises(Temporary, match="No space left"):
        append_durably(journal, pooled(1))
    files.refused.clear()
    assert journal.doubtful
    with pytest.raises(Temporary, match="an earlier write failed"):
        journal.sync()
    write_anew(journal, pooled(0), pooled(1))
    assert not journal.doubtful
    journal.sync()
    journal.close()
    assert numbers(reopened(path)) == [0, 1]


@pytest.mark.parametrize(
    "refused",
    [
        ("pwrite",),
        ("fdatasync",),
        ("rename",),
        ("pwrite", "unlink"),
        ("pwrite", "close"),
        ("pwrite", "unlink", "close"),
    ],
    ids="-".join,
)
def test_a_copy_that_fails_leaves_the_old_file(tmp_path: Path, refused: tuple[str, ...]) -> None:
    path, files = tmp_path / "journal", Refusing()
    journal = Journal(path, files)
    journal.open()
    journal.append(map(pooled, range(3)))
    files.refused.update(refused)
    with pytest.raises(Temporary, match="No space left"):
        write_anew(journal, pooled(1))
    files.refused.clear()
    journal.append([pooled(3)])
    assert numbers(reopened(path)) == [0, 1, 2, 3]
    write_anew(journal, pooled(1))
    journal.append([pooled(4)])
    journal.close()
    assert numbers(reopened(path)) == [1, 4]


def test_what_the_old_file_refused_while_it_was_written_anew_is_in_the_new_one(tmp_path: Path) -> None:
    path, files = tmp_path / "journal", Refusing()
    journal = Journal(path, files)
    journal.open()
    journal.begin_copy()
    journal.write_copy([pooled(0)])
    files.refused.add("pwrite")
    with pytest.raises(Temporary):
        journal.append([pooled(1)])
    files.refused.clear()
    journal.finish_copy()
    journal.sync()
    journal.close()
    assert numbers(reopened(path)) == [0, 1]


def test_a_name_that_is_not_durable_is_nothing_to_promise_on(tmp_path: Path) -> None:
    path, files = tmp_path / "journal", Refusing()
    journal = Journal(path, files)
    journal.open()
    journal.begin_copy()
    journal.write_copy([pooled(0)])
    files.refused.add("fsync_dir")
    with pytest.raises(Temporary):
        journal.finish_copy()
    files.refused.clear()
    with pytest.raises(Temporary, match="an earlier write failed"):
        journal.sync()
    journal.close()


@pytest.mark.parametrize("refused", ["pwrite", "truncate", "fdatasync", "fsync_dir"])
def test_a_start_on_a_disk_that_refuses_is_temporary(tmp_path: Path, refused: str) -> None:
    journal = Journal(tmp_path / "journal", Refusing(refused))
    with pytest.raises(Temporary, match="No space left"):
        journal.open()
    journal.close()


def test_closing_never_fails(tmp_path: Path) -> None:
    files = Refusing()
    journal = Journal(tmp_path / "journal", files)
    journal.open()
    journal.begin_copy()
    journal.write_copy([pooled(0)])
    files.refused.update({"close", "unlink"})
    journal.close()


def test_another_file_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"something else entirely, longer than a header")
    assert reopened(tmp_path / "journal").records == []
