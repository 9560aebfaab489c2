"""What is particular to RocksDB: folders, locks, and its exceptions in our words."""

from pathlib import Path

import pytest

from sequencer.core.errors import ConfigError, Fatal, Temporary
from sequencer.storage.rocks import RocksStorage


def test_rows_survive_closing(tmp_path: Path) -> None:
    with RocksStorage(tmp_path / "new" / "db") as storage:
        storage.write({b"a": b"1"})
    with RocksStorage(tmp_path / "new" / "db") as storage:
        assert storage.get(b"a") == b"1"


def test_a_second_opener_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with RocksStorage(tmp_path) as storage:
        with pytest.raises(ConfigError, match="open already"):
            RocksStorage(tmp_path).open()
        storage.write({b"a": b"1"})
        assert storage.get(b"a") == b"1"


def test_a_folder_that_cannot_be_made_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Fatal, match="opening"):
        RocksStorage(tmp_path / "file" / "db").open()


def test_use_after_closing_is_fatal(tmp_path: Path) -> None:
    with RocksStorage(tmp_path) as storage:
        storage.write({b"a": b"1"})
    with pytest.raises(Fatal, match="not open"):
        storage.get(b"a")
    with pytest.raises(Fatal, match="not open"):
        storage.write({b"a": b"1"})
    with pytest.raises(Fatal, match="not open"):
        list(storage.scan(b"a", b"b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IO error: No space left on device: While appending to file: 000004.log", Temporary),
        ("IO error: Disk quota exceeded: While appending to file: 000004.log", Temporary),
        ("IO error: Input/output error: While fsync: 000004.log", Fatal),
        ("Corruption: block checksum mismatch", Fatal),
    ],
)
def test_a_failing_write_is_told_by_what_to_do(tmp_path: Path, text: str, expected: type[Exception]) -> None:
    """The library's own texts, as RocksDB words them; a full disk heals by itself once there is space."""

    class FailingDatabase:
        def write(self, batch: object) -> None:
            raise RuntimeError(text)

    storage = RocksStorage(tmp_path)
    storage._db = FailingDatabase()
    with pytest.raises(expected):
        storage.write({b"a": b"1"})


def test_a_damaged_database_is_fatal(tmp_path: Path) -> None:
    with RocksStorage(tmp_path) as storage:
        storage.write({b"a": b"1"})
    (tmp_path / "CURRENT").write_bytes(b"MANIFEST-999999\n")
    with pytest.raises(Fatal, match="block store"):
        RocksStorage(tmp_path).open()
