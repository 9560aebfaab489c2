"""What every storage must do. Each implementation is one row of the fixture."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sequencer.core.ports import Storage
from sequencer.storage.memory import MemoryStorage
from sequencer.storage.rocks import RocksStorage
from sequencer.storage.table import PrefixedStorage


@pytest.fixture(params=["memory", "rocks", "prefixed"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "rocks":
        with RocksStorage(tmp_path / "db") as rocks:
            yield rocks
        return
    memory = MemoryStorage()
    if request.param == "prefixed":
        memory.write({b"\x80": b"not ours", b"\x82": b"not ours"})
    yield PrefixedStorage(memory, b"\x81") if request.param == "prefixed" else memory


def test_what_was_written_is_read_back(storage: Storage) -> None:
    storage.write({b"a": b"1", b"": b"empty key", b"b": b""})
    assert [storage.get(key) for key in (b"a", b"", b"b", b"c")] == [b"1", b"empty key", b"", None]


def test_a_later_write_wins_and_a_delete_forgets(storage: Storage) -> None:
    storage.write({b"a": b"1", b"b": b"1"})
    storage.write({b"a": b"2"}, [b"b", b"never there"])
    assert (storage.get(b"a"), storage.get(b"b")) == (b"2", None)


def test_in_one_write_puts_come_after_deletes(storage: Storage) -> None:
    storage.write({b"a": b"1"})
    storage.write({b"a": b"2"}, [b"a"])
    assert storage.get(b"a") == b"2"


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (b"\x00", b"\xff", [b"\x01", b"\x01\x00", b"\x02", b"\xfe"]),
        (b"\x01", b"\x02", [b"\x01", b"\x01\x00"]),
        (b"\x01\x00", b"\x02\x00", [b"\x01\x00", b"\x02"]),
        (b"\x03", b"\xfe", []),
        (b"\x02", b"\x02", []),
        (b"\x09", b"\x01", []),
        (b"", b"\x01", []),
    ],
)
def test_a_scan_takes_the_start_and_leaves_the_stop(
    storage: Storage, start: bytes, stop: bytes, expected: list[bytes]
) -> None:
    storage.write({key: key + b"!" for key in (b"\x02", b"\x01\x00", b"\xfe", b"\x01")})
    rows = [(key, key + b"!") for key in expected]
    assert list(storage.scan(start, stop)) == rows
    assert list(storage.scan(start, stop, reverse=True)) == rows[::-1]


def test_a_scan_sees_the_rows_of_its_beginning(storage: Storage) -> None:
    storage.write({bytes([i]): b"old" for i in range(1, 9)})
    rows = storage.scan(b"\x00", b"\xff")
    first = next(rows)
    storage.write({b"\x02a": b"new", b"\x03": b"new"}, [b"\x04"])
    assert [first, *rows] == [(bytes([i]), b"old") for i in range(1, 9)]


def test_flush_keeps_everything_readable(storage: Storage) -> None:
    storage.write({b"a": b"1"})
    storage.flush()
    assert storage.get(b"a") == b"1"
