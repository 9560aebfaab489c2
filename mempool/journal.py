"""A file of the transactions that were accepted and are not included yet, so that a crash loses none of them.

::

    file    = magic(8) "seqjrnl1" || nextSequence(8) || crc32(4) of the 16 bytes before || record*
    record  = length(4) || crc32(4) of the body || body
    body    = sequence(8) || receivedMs(8) || origin(1) || raw transaction           length = size of the body

Numbers are big-endian. Records are only ever appended, a transaction's again when it arrives anew; when most of the
file is about transactions that left the pool, it is written anew. What is written survives the death of the process,
not that of the machine: syncing it would compete with the sequence log for the disk, and what was not promised yet can
be sent again. A torn or damaged tail is cut off at the first record that does not check.
"""

import os
import struct
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from sequencer.core.errors import Temporary
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

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy_path = path.with_name(path.name + ".new")
        self._file = -1
        self._copy = -1
        self._size_bytes = 0
        self._next_sequence = 0
        self._missed: list[bytes] | None = None
        """What was appended since a copy was begun."""
        self._appending = threading.Lock()
        self._copying = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return self._size_bytes

    def open(self) -> Recovered:
        """Read the file, mend its end, and make it ready to append to."""
        try:
            self._copy_path.unlink(missing_ok=True)
            content = self._path.read_bytes() if self._path.exists() else b""
            records, next_sequence, good = _parse(content)
            self._next_sequence = next_sequence + _SEQUENCE_LEAP if content else 0
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            if good < _HEADER.size:
                os.ftruncate(self._file, 0)
                _write(self._file, _header(self._next_sequence))
                self._size_bytes = _HEADER.size
            else:
                os.ftruncate(self._file, good)
                os.lseek(self._file, good, os.SEEK_SET)
                self._size_bytes = good
        except OSError as error:
            raise Temporary(f"mempool journal: {error}") from error
        return Recovered(_newest(records), self._next_sequence, len(content) - good)

    def append(self, accepted: Iterable[PooledTransaction]) -> None:
        """Write them at the end; they are there, whole, when this returns."""
        encoded = b"".join(map(_record, accepted))
        with self._appending:
            try:
                _write(self._file, encoded)
            except OSError as error:
                self._cut()
                raise Temporary(f"mempool journal: {error}") from error
            self._size_bytes += len(encoded)
            if self._missed is not None:
                self._missed.append(encoded)

    def begin_copy(self) -> None:
        """From now on, remember what is appended, for the new file."""
        self._missed = []

    def write_copy(self, contents: Sequence[PooledTransaction]) -> None:
        """Write the new file with what is in the pool. May take long; appending goes on meanwhile."""
        newest = max((pooled.arrival.sequence for pooled in contents), default=-1)
        with self._copying:
            try:
                self._copy = os.open(self._copy_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
                _write(self._copy, _header(max(self._next_sequence, newest + 1)))
                for at in range(0, len(contents), 1_000):
                    _write(self._copy, b"".join(map(_record, contents[at : at + 1_000])))
            except OSError as error:
                self._drop_copy()
                raise Temporary(f"mempool journal: {error}") from error

    def finish_copy(self) -> None:
        """Add what was appended meanwhile, and put the new file in the old one's place."""
        with self._appending, self._copying:
            try:
                _write(self._copy, b"".join(self._missed or ()))
                self._copy_path.rename(self._path)
            except OSError as error:
                self._drop_copy()
                raise Temporary(f"mempool journal: {error}") from error
            os.close(self._file)
            self._file, self._copy, self._missed = self._copy, -1, None
            self._size_bytes = os.fstat(self._file).st_size

    def close(self) -> None:
        """Release the files, once nobody writes to them any more."""
        with self._appending, self._copying:
            self._drop_copy()
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _drop_copy(self) -> None:
        """Go on with the old file."""
        self._missed = None
        if self._copy >= 0:
            os.close(self._copy)
            self._copy = -1
        self._copy_path.unlink(missing_ok=True)

    def _cut(self) -> None:
        """Take back an append that failed half way, so that nothing is written behind a torn record."""
        os.ftruncate(self._file, self._size_bytes)
        os.lseek(self._file, self._size_bytes, os.SEEK_SET)


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


def _write(file: int, content: bytes) -> None:
    """All of it: the system may take a part at a time."""
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
