"""The log as one thread sees it: groups of appends in, durable records out.

``commit`` puts a whole group behind one sync. The promises it keeps:

- An append lies in one segment whole, so that it is either undone without trace or not at all. One that
  does not fit into the newest segment starts the next one, which was allocated ahead.
- A segment is synced before the next one gets its name; a new one is complete, with its header synced
  under another name, before it is called a segment. See ``recovery`` for what follows from this.
- No space left: what the group had written is overwritten with zeros and synced, and ``Temporary`` raised.
- A failed sync is ``Fatal`` for this and every later call: what is on disk is unknown (it is never retried,
  because the kernel forgets which pages had failed).
"""

import errno
import threading
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from sequencer.consensus.local import format as fmt
from sequencer.consensus.local.recovery import Recovered, recover, write_all
from sequencer.consensus.local.segment import SPARE_NAME, Segment, damaged, segment_name
from sequencer.consensus.rules import Accepted, LogTail, Write, judge
from sequencer.core.entries import Entry, decode
from sequencer.core.errors import Fatal, Malformed, Temporary
from sequencer.core.files import Files
from sequencer.core.ports import Appended, Refused
from sequencer.core.types import Hash32

Committed: TypeAlias = Appended | Refused | Temporary

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class _Group:
    """Accepted appends that are not yet on disk, and the log as it will be with them."""

    next_position: int
    term: int
    end: int
    data: bytearray = field(default_factory=bytearray)
    offsets: "array[int]" = field(default_factory=lambda: array("L"))
    members: list[int] = field(default_factory=list)


class Journal:
    """The segments of one log. ``commit`` from one thread only; the rest from any thread."""

    def __init__(
        self,
        files: Files,
        directory: Path,
        genesis_hash: Hash32,
        *,
        salt: int,
        segment_bytes: int,
    ) -> None:
        self._files = files
        self._directory = directory
        self._genesis_hash = genesis_hash
        self._salt = salt
        self._segment_bytes = segment_bytes
        self._segments: tuple[Segment, ...] = ()
        self._names = threading.Lock()
        self._spare_lock = threading.Lock()
        self._spare: int | None = None
        self._fd = -1
        self._failure = ""
        self.next_position = 0
        self.term = 0

    # ---------------------------------------------------------------------------------------- lifetime

    def open(self) -> Recovered:
        """Check what is on disk, or begin an empty log. Raises ``Fatal``, or ``Temporary`` without space."""
        try:
            recovered = recover(self._files, self._directory, self._genesis_hash)
            self._segments = recovered.segments
            self.term = recovered.term
            if self._segments:
                self.next_position = self._segments[-1].next_position
                self._fd = self._files.open(self._segments[-1].path)
        except OSError as error:
            raise Fatal(f"the sequence log in {self._directory} cannot be opened: {error}") from error
        if not self._segments:
            self._roll(0)
        return recovered

    def close(self) -> None:
        """Release the files. Nothing is left to be written."""
        with self._spare_lock:
            if self._spare is not None:
                self._drop_spare(self._spare)
                self._spare = None
        self._release(self._fd)
        self._fd = -1

    def begin_at(self, position: int, term: int) -> None:
        """Let an empty log begin at ``position`` and after ``term``, as if what lies before had been let go.

        Not while ``commit`` runs. A crash in it leaves an empty log. Raises ``Fatal`` for a log that holds entries.
        """
        if self.next_position > self.first_position:
            raise Fatal(f"the sequence log in {self._directory} holds entries: it cannot begin at position {position}")
        try:
            self._files.unlink(self._segments[-1].path)
            self._files.fsync_dir(self._directory)
        except OSError as error:
            raise Fatal(f"{self._segments[-1].path} could not be deleted: {error}") from error
        with self._names:
            self._segments = ()
        self.next_position, self.term = position, term
        self._roll(0)

    # ----------------------------------------------------------------------------------------- reading

    @property
    def first_position(self) -> int:
        """The oldest entry that is kept, or where the first one will be."""
        return self._segments[0].first_position if self._segments else 0

    @property
    def segment_count(self) -> int:
        """How many segment files there are."""
        return len(self._segments)

    def read(self, position: int) -> Iterator[tuple[int, Entry]]:
        """Durable entries from ``position`` on, those included that become durable while reading.

        Raises ``Fatal`` for entries that are no longer kept.
        """
        while position < self.next_position:
            segment = self._segment_of(position)
            try:
                for at, payload in segment.read(self._files, position):
                    yield at, _entry(segment, at, payload)
                    position = at + 1
            except FileNotFoundError:
                if position >= self.first_position:
                    raise damaged(segment.path, 0, position, "the file is missing") from None
            except OSError as error:
                raise Fatal(f"{segment.path} cannot be read: {error}") from error

    def _segment_of(self, position: int) -> Segment:
        segments = self._segments
        for segment in reversed(segments):
            if segment.first_position <= position:
                return segment
        raise Fatal(f"the log is asked for position {position}, but is kept from {segments[0].first_position} on only")

    def _stored(self, position: int) -> bytes:
        segment = self._segment_of(position)
        try:
            return next(segment.read(self._files, position))[1]
        except OSError as error:
            raise Fatal(f"{segment.path} cannot be read: {error}") from error

    # --------------------------------------------------------------------------------------- appending

    def commit(self, writes: Sequence[Write]) -> list[Committed]:
        """One answer for each of ``writes``, in order, once the accepted ones are durable. Raises ``Fatal``."""
        if self._failure:
            raise Fatal(self._failure)
        answers: list[Committed | None] = [None] * len(writes)
        try:
            group = self._new_group()
            for index, write in enumerate(writes):
                if group.members and write.position < group.next_position:
                    # It repeats, at least in part, what is only about to be written: settle that first.
                    group = self._settle(group, writes, answers)
                verdict = self._judge(group, write)
                if isinstance(verdict, Accepted) and not self._fits(group, verdict):
                    group = self._settle(group, writes, answers)
                    verdict = self._judge(group, write)
                    if isinstance(verdict, Accepted):
                        verdict = self._next_segment(verdict)
                        group = self._new_group()
                if isinstance(verdict, Accepted):
                    self._stage(group, index, verdict)
                else:
                    answers[index] = verdict
            self._settle(group, writes, answers)
        except Exception as error:
            self._failure = str(error)
            raise
        return [answer for answer in answers if answer is not None]

    def _judge(self, group: _Group, write: Write) -> Accepted | Committed:
        return judge(write, LogTail(self.first_position, group.next_position, group.term), self._stored)

    def _fits(self, group: _Group, accepted: Accepted) -> bool:
        return group.end + len(group.data) + _records_size(accepted) <= self._segments[-1].size

    def _new_group(self) -> _Group:
        return _Group(self.next_position, self.term, self._segments[-1].end)

    def _stage(self, group: _Group, index: int, accepted: Accepted) -> None:
        salt = self._segments[-1].header.salt
        for payload in accepted.encoded:
            group.offsets.append(group.end + len(group.data))
            group.data += fmt.encode_record(salt, group.next_position, self.next_position, payload)
            group.next_position += 1
        group.members.append(index)
        group.term = accepted.term

    def _settle(self, group: _Group, writes: Sequence[Write], answers: list[Committed | None]) -> _Group:
        """Bring the group to the disk, or undo it; answer its members, and start an empty one."""
        if group.members:
            refusal = self._write(group)
            for index in group.members:
                answers[index] = refusal or Appended(writes[index].position)
        return self._new_group()

    def _write(self, group: _Group) -> Temporary | None:
        segment = self._segments[-1]
        try:
            write_all(self._files, self._fd, bytes(group.data), group.end)
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise Fatal(f"writing to {segment.path} failed: {error}") from error
            self._undo(group, segment)
            return Temporary(f"no space left for the sequence log in {self._directory}")
        self._sync(self._fd, segment.path)
        segment.offsets.extend(group.offsets)
        segment.end = group.end + len(group.data)
        segment.next_position = group.next_position
        self.next_position = group.next_position
        self.term = group.term
        return None

    def _undo(self, group: _Group, segment: Segment) -> None:
        """Zeros over whatever the group wrote, durably: a caller may tell others that nothing was written."""
        try:
            size = min(len(group.data), self._files.size(self._fd) - group.end)
            write_all(self._files, self._fd, bytes(size), group.end)
        except OSError as error:
            raise Fatal(f"an append that found no space in {segment.path} cannot be undone: {error}") from error
        self._sync(self._fd, segment.path)

    def _sync(self, fd: int, path: Path) -> None:
        try:
            self._files.fdatasync(fd)
        except OSError as error:
            raise Fatal(
                f"syncing {path} failed: {error}. What is on the disk is now unknown; check the disk, then start again"
            ) from error

    # --------------------------------------------------------------------------------- segments, retention

    @property
    def wants_spare(self) -> bool:
        """The next segment is not allocated yet."""
        return self._spare is None

    def prepare_spare(self) -> None:
        """Allocate the next segment ahead. Raises ``Temporary`` without space. For a thread of its own."""
        with self._spare_lock:
            if self._spare is None:
                self._spare = self._allocate(self._segment_bytes)

    def _allocate(self, size: int) -> int:
        path = self._directory / SPARE_NAME
        try:
            fd = self._files.open(path, create=True)
        except OSError as error:
            raise _allocation_error(path, error) from error
        try:
            self._files.fallocate(fd, size)
            self._files.fdatasync(fd)
        except OSError as error:
            self._drop_spare(fd)
            raise _allocation_error(path, error) from error
        return fd

    def _drop_spare(self, fd: int) -> None:
        self._release(fd)
        with suppress(OSError):  # the next start sweeps it away
            self._files.unlink(self._directory / SPARE_NAME)

    def _release(self, fd: int) -> None:
        if fd >= 0:
            with suppress(OSError):  # all that it holds was synced before
                self._files.close(fd)

    def _next_segment(self, accepted: Accepted) -> Accepted | Temporary:
        """Room for an append that does not fit: a new segment, or more of one that is still empty."""
        size = _records_size(accepted)
        try:
            if self._segments[-1].end == fmt.RECORDS_START:
                self._enlarge(self._segments[-1], fmt.RECORDS_START + size)
            else:
                self._roll(size)
        except Temporary as refusal:
            return refusal
        return accepted

    def _enlarge(self, segment: Segment, size: int) -> None:
        try:
            self._files.fallocate(self._fd, size)
        except OSError as error:
            raise _allocation_error(segment.path, error) from error
        self._sync(self._fd, segment.path)
        segment.size = size

    def _roll(self, size: int) -> None:
        """Begin a segment with room for ``size`` bytes of records. Raises ``Temporary``, changing nothing."""
        size = max(self._segment_bytes, fmt.RECORDS_START + size)
        header = fmt.SegmentHeader(self._salt, self._genesis_hash, self.next_position, self.term)
        path = self._directory / segment_name(self.next_position)
        with self._spare_lock:
            fd = self._spare if self._spare is not None else self._allocate(self._segment_bytes)
            self._spare = fd
            try:
                if size > self._segment_bytes:
                    self._files.fallocate(fd, size)
                write_all(self._files, fd, header.encode(), 0)
            except OSError as error:
                raise _allocation_error(path, error) from error
            self._sync(fd, path)
            try:
                self._files.rename(self._directory / SPARE_NAME, path)
                self._files.fsync_dir(self._directory)
            except OSError as error:
                raise Fatal(f"{path} could not be put in its place: {error}") from error
            self._spare = None
        self._release(self._fd)
        self._fd = fd
        segment = Segment(path, header, size, fmt.RECORDS_START, self.next_position)
        with self._names:
            if self._segments:
                self._segments[-1].offsets = array("L")
            self._segments = (*self._segments, segment)

    def would_free(self, position: int) -> bool:
        """Whether ``retain(position)`` would delete anything."""
        with self._names:
            return len(self._segments) > 1 and self._segments[1].first_position <= position

    def retain(self, position: int) -> None:
        """Delete segments that lie below ``position`` whole, oldest first, never the newest.

        Each name is durably gone before the next one goes: no crash can leave a gap.
        """
        while True:
            with self._names:
                if len(self._segments) < 2 or self._segments[1].first_position > position:
                    return
                oldest, self._segments = self._segments[0], self._segments[1:]
            try:
                self._files.unlink(oldest.path)
                self._files.fsync_dir(self._directory)
            except OSError as error:
                raise Fatal(f"{oldest.path} could not be deleted: {error}") from error


def _records_size(accepted: Accepted) -> int:
    return sum(map(len, accepted.encoded)) + fmt.RECORD_OVERHEAD * len(accepted.encoded)


def _entry(segment: Segment, position: int, payload: bytes) -> Entry:
    try:
        return decode(payload)
    except Malformed as error:
        raise damaged(segment.path, 0, position, f"the entry cannot be understood: {error}") from None


def _allocation_error(path: Path, error: OSError) -> Temporary | Fatal:
    if error.errno in _NO_SPACE:
        return Temporary(f"no space left to allocate {path}")
    return Fatal(f"{path} could not be allocated: {error}")
