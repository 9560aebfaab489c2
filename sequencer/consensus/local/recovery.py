"""Opening a log: every segment is checked, a torn tail is cut off, and damage is refused.

What a crash may leave behind is known from the order of writes: a segment is synced whole before the next
one gets its name, and within the newest one only records of the last group may be unsynced. So a bad
record is a torn tail, never acknowledged by anyone, only in the newest segment and only if no later record
says that it had been durable. Everything else is damage to entries that somebody may rely on.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sequencer.consensus.local import format as fmt
from sequencer.consensus.local.segment import SPARE_NAME, SUFFIX, Segment, damaged
from sequencer.core.entries import Takeover, decode
from sequencer.core.errors import Fatal, Malformed
from sequencer.core.files import Files
from sequencer.core.types import Hash32

_TAKEOVER_KIND = 5


@dataclass(frozen=True, slots=True)
class TornTail:
    """What was cut off: bytes of appends that no one was told had succeeded."""

    path: Path
    offset: int
    position: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """A log as it was found. ``segments`` is empty for a new one."""

    segments: tuple[Segment, ...]
    term: int
    torn: TornTail | None


def recover(files: Files, directory: Path, genesis_hash: Hash32) -> Recovered:
    """Check the whole log and make what is kept of it durable. Raises ``Fatal`` for damage and foreign logs."""
    files.make_dir(directory)
    names = files.listdir(directory)
    if SPARE_NAME in names:
        files.unlink(directory / SPARE_NAME)
    paths = sorted(directory / name for name in names if name.endswith(SUFFIX))
    segments: list[Segment] = []
    term, torn = 0, None
    for path in paths:
        newest = path == paths[-1]
        fd = files.open(path)
        try:
            data = files.pread(fd, files.size(fd), 0)
            header = _header(path, data, genesis_hash, segments, term)
            scan = _scan(data, header)
            if newest:
                torn = _torn_tail(path, data, header, scan)
                _make_durable(files, fd, data, scan, torn)
        finally:
            files.close(fd)
        term = max(scan.term, header.term)
        offsets = scan.offsets if newest else array("L")
        segments.append(Segment(path, header, len(data), scan.end, scan.next_position, offsets))
    files.fsync_dir(directory)
    return Recovered(tuple(segments), term, torn)


@dataclass(frozen=True, slots=True)
class _Scan:
    """The valid records at the front of a segment."""

    end: int
    next_position: int
    durable: int
    term: int
    offsets: "array[int]"


def _header(path: Path, data: bytes, genesis_hash: Hash32, before: Sequence[Segment], term: int) -> fmt.SegmentHeader:
    header = fmt.decode_header(data)
    if isinstance(header, str):
        raise damaged(path, 0, before[-1].next_position if before else 0, header)
    if header.genesis_hash != genesis_hash:
        raise Fatal(
            f"{path} belongs to the chain with genesis 0x{header.genesis_hash.hex()}, this node runs "
            f"0x{genesis_hash.hex()}: point the node to the right data folder or genesis file"
        )
    if path.stem != f"{header.first_position:020d}":
        raise damaged(path, 0, header.first_position, f"its first record has position {header.first_position}")
    if before and before[-1].next_position != header.first_position:
        last = before[-1]
        what = f"the log ends here, but {path.name} goes on at position {header.first_position}"
        raise damaged(last.path, last.end, last.next_position, what)
    if header.term < term:
        raise damaged(path, 0, header.first_position, f"it starts in term {header.term}, after term {term}")
    return header


def _scan(data: bytes, header: fmt.SegmentHeader) -> _Scan:
    end, position, durable, term = fmt.RECORDS_START, header.first_position, header.first_position, header.term
    offsets = array("L")
    for record in fmt.records(data, fmt.RECORDS_START, header.salt, header.first_position):
        offsets.append(end)
        end, position, durable = record.end, record.position + 1, record.durable
        if record.payload[0] == _TAKEOVER_KIND:
            term = max(term, _term_of(record.payload))
    return _Scan(end, position, durable, term, offsets)


def _term_of(payload: bytes) -> int:
    try:
        entry = decode(payload)
    except Malformed as error:
        raise Fatal(f"a takeover in the log cannot be read: {error}") from None
    return entry.term if isinstance(entry, Takeover) else 0


def _torn_tail(path: Path, data: bytes, header: fmt.SegmentHeader, scan: _Scan) -> TornTail | None:
    """What stands behind the last valid record, if anything. Raises ``Fatal`` if it had been durable."""
    written = fmt.written_end(data)
    if written <= scan.end:
        return None
    durable = fmt.durable_beyond(data, scan.end, header.salt, scan.next_position)
    if durable > scan.next_position:
        what = f"a bad record, although later ones show that everything before position {durable} was durable"
        raise damaged(path, scan.end, scan.next_position, what)
    return TornTail(path, scan.end, scan.next_position, written - scan.end)


def _make_durable(files: Files, fd: int, data: bytes, scan: _Scan, torn: TornTail | None) -> None:
    """Let everything that is kept survive power loss, and nothing else, before anyone acts upon it.

    Records that no later one proves durable may exist in the page cache only, or on pages that a failed sync
    left marked as clean; they are written once more so that the sync has to bring them to the disk.
    """
    start = scan.end
    if len(scan.offsets) and scan.durable < scan.next_position:
        start = scan.offsets[scan.durable - (scan.next_position - len(scan.offsets))]
    unproven = data[start : scan.end] + bytes(torn.size_bytes if torn else 0)
    write_all(files, fd, unproven, start)
    files.fdatasync(fd)


def write_all(files: Files, fd: int, data: bytes, offset: int) -> None:
    """Write every byte, however many calls it takes. Raises ``OSError``."""
    view = memoryview(data)
    while view:
        taken = files.pwrite(fd, bytes(view), offset)
        if taken <= 0:
            raise OSError(28, "no space left on device")
        view = view[taken:]
        offset += taken
