"""Torn tails are cut off; damage to what had been durable, and foreign logs, are refused by name."""

from pathlib import Path

import pytest

from sequencer.consensus.local import format as fmt
from sequencer.consensus.local.files import OS_FILES
from sequencer.consensus.local.journal import Journal
from sequencer.consensus.rules import Write
from sequencer.core.entries import Entry
from sequencer.core.errors import Fatal
from sequencer.core.keccak import keccak256
from sequencer.core.ports import Appended
from sequencer.core.types import Hash32
from tests.unit.consensus.log_entries import GENESIS, batch, flashblock, takeover

SEGMENT_BYTES = 8192


def journal(folder: Path, genesis: Hash32 = GENESIS) -> Journal:
    return Journal(OS_FILES, folder, genesis, salt=7, segment_bytes=SEGMENT_BYTES)


def filled(folder: Path, groups: int, per_group: int = 1) -> list[Path]:
    """A closed log of batches; its segments."""
    log = journal(folder)
    log.open()
    for group in range(groups):
        entries = [batch(group * per_group + i) for i in range(per_group)]
        log.commit([Write.of(entries, log.next_position, 0)])
    log.close()
    return sorted(folder.glob("*.seg"))


def offsets(path: Path) -> list[int]:
    """Where each record of a segment begins."""
    data = path.read_bytes()
    header = fmt.decode_header(data)
    assert isinstance(header, fmt.SegmentHeader)
    starts, at = [], fmt.RECORDS_START
    for record in fmt.records(data, at, header.salt, header.first_position):
        starts.append(at)
        at = record.end
    return starts


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def entries_after_opening(folder: Path) -> list[Entry]:
    log = journal(folder)
    log.open()
    try:
        return [entry for _, entry in log.read(log.first_position)]
    finally:
        log.close()


def refusal(folder: Path) -> str:
    log = journal(folder)
    with pytest.raises(Fatal) as refused:
        log.open()
    log.close()
    return str(refused.value)


@pytest.mark.parametrize("at", [0, 4, 8, 16, 24, 30, -1])
def test_a_last_record_with_a_bad_byte_is_a_torn_tail(tmp_path: Path, at: int) -> None:
    (path,) = filled(tmp_path, 5)
    start = offsets(path)[4]
    end = fmt.written_end(path.read_bytes())
    offset = start + at if at >= 0 else end - 1
    overwrite(path, offset, bytes([path.read_bytes()[offset] ^ 0x40]))
    log = journal(tmp_path)
    torn = log.open().torn
    assert torn is not None
    assert (torn.path, torn.offset, torn.position) == (path, start, 4)
    assert log.next_position == 4
    assert log.commit([Write.of([batch(9)], 4, 0)]) == [Appended(4)]
    log.close()
    assert entries_after_opening(tmp_path)[4] == batch(9)


def test_a_whole_group_may_be_torn_in_its_first_record_only(tmp_path: Path) -> None:
    (path,) = filled(tmp_path, 2, per_group=3)
    overwrite(path, offsets(path)[3] + 26, b"\xee")
    assert entries_after_opening(tmp_path) == [batch(0), batch(1), batch(2)]


def test_what_was_cut_off_does_not_come_back_behind_an_equally_long_record(tmp_path: Path) -> None:
    (path,) = filled(tmp_path, 2, per_group=3)
    overwrite(path, offsets(path)[3] + 26, b"\xee")
    log = journal(tmp_path)
    log.open()
    log.commit([Write.of([batch(9)], 3, 0)])
    log.close()
    assert entries_after_opening(tmp_path) == [batch(0), batch(1), batch(2), batch(9)]


@pytest.mark.parametrize("what", ["payload", "length", "zeroed length", "position", "zeroed record"])
def test_a_bad_record_that_later_ones_prove_durable_is_refused(tmp_path: Path, what: str) -> None:
    (path,) = filled(tmp_path, 6)
    starts = offsets(path)
    start = starts[2]
    damage = {
        "payload": (start + 30, b"\xee"),
        "length": (start, b"\x7f"),
        "zeroed length": (start, bytes(4)),
        "position": (start + 15, b"\x09"),
        "zeroed record": (start, bytes(starts[3] - start)),
    }
    overwrite(path, *damage[what])
    text = refusal(tmp_path)
    assert f"{path}, offset {start}, position 2" in text
    assert "restore" in text
    assert refusal(tmp_path) == text


def test_a_record_hidden_in_a_transaction_proves_nothing(tmp_path: Path) -> None:
    """Calldata that looks like a record fails for lack of the segment's salt."""
    (path,) = filled(tmp_path, 3)
    forged = fmt.encode_record(0, 4, 4, b"\x05forged")
    log = journal(tmp_path)
    log.open()
    entry = flashblock(1, 0, GENESIS)
    entry = type(entry)(entry.flashblock, (b"\xf8" * 20 + forged + b"\xf8" * 20,), entry.outcome_hashes, entry.arrivals)
    log.commit([Write.of([entry], 3, 0)])
    log.close()
    overwrite(path, offsets(path)[3] + 25, b"\xee")
    assert entries_after_opening(tmp_path) == [batch(0), batch(1), batch(2)]


def test_damage_in_an_earlier_segment_is_refused(tmp_path: Path) -> None:
    paths = filled(tmp_path, 200)
    assert len(paths) > 2
    last_of_first = offsets(paths[0])[-1]
    overwrite(paths[0], last_of_first + 26, b"\xee")
    assert f"{paths[0]}, offset {last_of_first}, position" in refusal(tmp_path)


def test_a_missing_segment_is_refused(tmp_path: Path) -> None:
    paths = filled(tmp_path, 200)
    paths[1].unlink()
    text = refusal(tmp_path)
    assert str(paths[0]) in text
    assert paths[2].name in text


def test_a_segment_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    (path,) = filled(tmp_path, 3)
    path.rename(tmp_path / f"{5:020d}.seg")
    assert "first record has position 0" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("offset", "data", "words"),
    [
        (0, b"\0", "not a segment"),
        (11, b"\x09", "format version 9"),
        (20, b"\xee", "checksum of its header"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, offset: int, data: bytes, words: str) -> None:
    (path,) = filled(tmp_path, 3)
    overwrite(path, offset, data)
    assert words in refusal(tmp_path)


def test_a_shortened_file_is_refused(tmp_path: Path) -> None:
    (path,) = filled(tmp_path, 3)
    with path.open("r+b") as file:
        file.truncate(10)
    assert "not a segment" in refusal(tmp_path)


def test_the_log_of_another_chain_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    other = journal(tmp_path, keccak256(b"another"))
    with pytest.raises(Fatal, match="genesis"):
        other.open()


def test_the_term_outlives_the_segments_that_raised_it(tmp_path: Path) -> None:
    log = journal(tmp_path)
    log.open()
    log.commit([Write.of([takeover(41)], 0, 41)])
    for i in range(1, 200):
        log.commit([Write.of([batch(i)], i, 41)])
    log.retain(199)
    log.close()
    again = journal(tmp_path)
    again.open()
    assert again.first_position > 0
    assert again.term == 41
    again.close()


def test_a_left_over_spare_is_removed_and_other_files_are_left_alone(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    (tmp_path / "next.spare").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    assert len(entries_after_opening(tmp_path)) == 3
    assert not (tmp_path / "next.spare").exists()
    assert (tmp_path / "notes.txt").exists()


def test_an_append_larger_than_a_segment_gets_one_of_its_size(tmp_path: Path) -> None:
    log = journal(tmp_path)
    log.open()
    big = [flashblock(1, i, GENESIS, size_bytes=20_000) for i in range(3)]
    assert log.commit([Write.of(big, 0, 0)]) == [Appended(0)]
    assert log.commit([Write.of([batch(3)], 3, 0)]) == [Appended(3)]
    assert log.commit([Write.of(big, 4, 0)]) == [Appended(4)]
    log.close()
    assert entries_after_opening(tmp_path) == [*big, batch(3), *big]
