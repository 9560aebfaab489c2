"""A file of the transactions that were accepted and are not included yet, so that a crash loses none of them.

::

    file    = magic(8) "seqjrnl1" || nextSequence(8) || crc32(4) of the 16 bytes before || record*
    record  = length(4) || crc32(4) of the body || body
    body    = sequence(8) || receivedMs(8) || origin(1) || raw transaction           length = size of the body

Numbers are big-endian. Records are only ever appended, a transaction's again when it arrives anew; when most of the
file is about transactions that left the pool, it is written anew. What is written survives the death of the process;
what is synced, that of the machine too. Only what was promised is synced, because it competes with the sequence log
for the disk, and what was not promised can be sent again. A torn or damaged tail is cut off at the first record that
does not check.
"""

import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from sequencer.core.errors import Temporary
from sequencer.core.files import Files
from sequencer.core.transaction import Arrival, PooledTransaction

_MAGIC: Final = b"seqjrnl1"
_HEADER: Final = struct.Struct(">8sQI")
_FRAME: Final = struct.Struct(">II")
_BODY: Final = struct.Struct(">QQB")
_LONGEST_BODY: Final = 4 * 1024 * 1024
_SEQUENCE_LEAP: Final = 2**20
"""How far numbering jumps at a start: further than numbers that were given and not written can reach."""


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """An accepted transaction: its bytes and its arrival."""

    raw: bytes
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start finds: the newest record of each transaction, in the order of their arrivals; the first number that
    is free, and how many bytes were damaged."""

    records: list[JournalRecord]
    next_sequence: int
    damaged_bytes: int


class Journal:
    """The file. Everything here blocks, and may be called from any thread; ``write_copy`` runs beside ``append``,
    everything else waits for its turn. Errors of the disk come as ``Temporary``, and leave the file as it was."""

    def __init__(self, path: Path, files: Files) -> None:
        self._path = path
        self._files = files
        self._copy_path = path.with_name(path.name + ".new")
        self._file = -1
        self._copy = -1
        self._size_bytes = 0
        self._copy_bytes = 0
        self._next_sequence = 0
        self._missed: list[bytes] | None = None
        """What was appended since a copy was begun."""
        self._doubtful = False
        """An append or a sync failed: something is not in this file, or not on the disk and no later sync can tell."""
        self._appending = threading.Lock()
        self._copying = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return self._size_bytes

    @property
    def doubtful(self) -> bool:
        """Nothing is promised about this file before it is written anew."""
        return self._doubtful

    def open(self) -> Recovered:
        """Read the file, mend its end, and make it ready to append to."""
        with _translated():
            names = self._files.listdir(self._path.parent)
            if self._copy_path.name in names:
                self._files.unlink(self._copy_path)
            self._file = self._files.open(self._path, create=self._path.name not in names)
            content = self._files.pread(self._file, self._files.size(self._file), 0)
            records, next_sequence, good = _parse(content)
            self._next_sequence = next_sequence + _SEQUENCE_LEAP if content else 0
            self._size_bytes = good
            self._files.truncate(self._file, good)
            if not good:
                self._size_bytes = self._write(self._file, _header(self._next_sequence), 0)
            self._files.fdatasync(self._file)
            self._files.fsync_dir(self._path.parent)
        return Recovered(_newest(records), self._next_sequence, len(content) - good)

    def append(self, accepted: Iterable[PooledTransaction]) -> None:
        """Write them at the end; they are there, whole, when this returns."""
        encoded = b"".join(map(_record, accepted))
        with self._appending:
            if self._missed is not None:
                self._missed.append(encoded)  # the new file takes it even if this one does not
            with self._doubted():
                try:
                    self._size_bytes = self._write(self._file, encoded, self._size_bytes)
                except OSError:
                    with suppress(OSError):  # the next one is written over what this leaves
                        self._files.truncate(self._file, self._size_bytes)
                    raise

    def sync(self) -> None:
        """Return once everything that was handed to ``append`` survives a loss of power. After an append or a sync that
        failed, each one fails until the file is written anew: the system takes pages for clean that never reached
        the disk."""
        with self._appending:
            if self._doubtful:
                raise Temporary("mempool journal: an earlier write failed, and it is not written anew yet")
            with self._doubted():
                self._files.fdatasync(self._file)

    def begin_copy(self) -> None:
        """From now on, remember what is appended, for the new file."""
        self._missed = []

    def write_copy(self, contents: Sequence[PooledTransaction]) -> None:
        """Write and sync the new file with what is in the pool. May take long; appending goes on meanwhile."""
        newest = max((pooled.arrival.sequence for pooled in contents), default=-1)
        with self._copying, self._copied():
            if self._copy_path.name in self._files.listdir(self._path.parent):
                self._files.unlink(self._copy_path)
            self._copy = self._files.open(self._copy_path, create=True)
            at = self._write(self._copy, _header(max(self._next_sequence, newest + 1)), 0)
            for first in range(0, len(contents), 1_000):
                at = self._write(self._copy, b"".join(map(_record, contents[first : first + 1_000])), at)
            self._files.fdatasync(self._copy)
            self._copy_bytes = at

    def finish_copy(self) -> None:
        """Add what was appended meanwhile, and put the new file, synced, in the old one's place."""
        with self._appending, self._copying:
            with self._copied():
                end = self._write(self._copy, b"".join(self._missed or ()), self._copy_bytes)
                self._files.fdatasync(self._copy)
                self._files.rename(self._copy_path, self._path)
            self._close(self._file)
            self._file, self._copy, self._missed = self._copy, -1, None
            self._size_bytes = end
            with self._doubted():
                self._files.fsync_dir(self._path.parent)
            self._doubtful = False

    def close(self) -> None:
        """Release the files, once nobody writes to them any more."""
        with self._appending, self._copying:
            self._drop_copy()
            self._close(self._file)
            self._file = -1

    @contextmanager
    def _doubted(self) -> Iterator[None]:
        """Trust this file no more if this fails."""
        with _translated():
            try:
                yield
            except OSError:
                self._doubtful = True
                raise

    @contextmanager
    def _copied(self) -> Iterator[None]:
        """Go on with the old file if this fails."""
        with _translated():
            try:
                yield
            except OSError:
                self._drop_copy()
                raise

    def _drop_copy(self) -> None:
        self._missed = None
        copy, self._copy = self._copy, -1
        self._close(copy)
        if copy >= 0:
            with suppress(OSError):  # the next copy, or the next start, sweeps it away
                self._files.unlink(self._copy_path)

    def _close(self, file: int) -> None:
        if file >= 0:
            with suppress(OSError):  # what had to be durable was synced before
                self._files.close(file)

    def _write(self, file: int, content: bytes, at: int) -> int:
        """All of it at an offset: the system may take a part at a time. Where it ends."""
        while content:
            taken = self._files.pwrite(file, content, at)
            content, at = content[taken:], at + taken
        return at


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Temporary(f"mempool journal: {error}") from error


def _header(next_sequence: int) -> bytes:
    head = _MAGIC + next_sequence.to_bytes(8, "big")
    return head + crc32(head).to_bytes(4, "big")


def _record(pooled: PooledTransaction) -> bytes:
    body = _BODY.pack(*pooled.arrival) + pooled.transaction.raw
    return _FRAME.pack(len(body), crc32(body)) + body


def _parse(content: bytes) -> tuple[list[JournalRecord], int, int]:
    """The records, the first free number, and how many bytes are good."""
    if len(content) < _HEADER.size:
        return [], 0, 0
    magic, next_sequence, check = _HEADER.unpack_from(content)
    if magic != _MAGIC or check != crc32(content[: _HEADER.size - 4]):
        return [], 0, 0
    records: list[JournalRecord] = []
    at = _HEADER.size
    while at + _FRAME.size <= len(content):
        length, check = _FRAME.unpack_from(content, at)
        body = content[at + _FRAME.size : at + _FRAME.size + length]
        if not _BODY.size <= length <= _LONGEST_BODY or len(body) != length or crc32(body) != check:
            break
        arrival = Arrival(*_BODY.unpack_from(body))
        records.append(JournalRecord(body[_BODY.size :], arrival))
        next_sequence = max(next_sequence, arrival.sequence + 1)
        at += _FRAME.size + length
    return records, next_sequence, at


def _newest(records: Iterable[JournalRecord]) -> list[JournalRecord]:
    found: dict[bytes, JournalRecord] = {}
    for record in sorted(records, key=lambda record: record.arrival.sequence):
        found.pop(record.raw, None)  # so that the new one comes after those before it
        found[record.raw] = record
    return list(found.values())
