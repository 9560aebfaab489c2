"""The bytes of a segment file. Integers are big-endian.

::

    segment = header || zeros up to byte 4096 || record || record || ... || zeros

    header  = magic(8) | version u32 | salt u32 | genesis hash(32) | first position u64 | term u64 | crc32 u32
    record  = length u32 | crc32 u32 | position u64 | durable u64 | payload(length)

``payload`` is an entry as ``core/entries.py`` encodes it. A record's CRC covers what follows it and
starts from the segment's random ``salt``, so that neither a transaction's bytes nor what an old file left
on the disk can pass for a record. ``durable`` is the position before which everything was known to be
synced when the record was written; it tells a torn tail, which was never acknowledged, from damage to
entries that were. A length of zero is the end of the log, because segments are allocated ahead and read
as zeros. ``term`` is the highest term before the segment, which must outlive the segments before it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from sequencer.core.types import Hash32

MAGIC: Final = b"seqlog\r\n"
VERSION: Final = 1
RECORDS_START: Final = 4096
"""The header has a disk page to itself: no later write can tear it."""
MAX_PAYLOAD_BYTES: Final = 8 << 20
RECORD_OVERHEAD: Final = 24

_HEADER: Final = struct.Struct(">8sII32sQQ")
_CRC: Final = struct.Struct(">I")
_PREFIX: Final = struct.Struct(">II")
_PLACE: Final = struct.Struct(">QQ")
_RECORD: Final = struct.Struct(">IIQQ")


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment says about itself."""

    salt: int
    genesis_hash: Hash32
    first_position: int
    term: int

    def encode(self) -> bytes:
        """The header's bytes with their CRC."""
        body = _HEADER.pack(MAGIC, VERSION, self.salt, self.genesis_hash, self.first_position, self.term)
        return body + _CRC.pack(crc32(body))


def decode_header(data: bytes) -> SegmentHeader | str:
    """The header at the start of ``data``, or what is wrong with it."""
    end = _HEADER.size + _CRC.size
    if len(data) < end or data[:8] != MAGIC:
        return "it is not a segment of a sequence log"
    _, version, salt, genesis_hash, first_position, term = _HEADER.unpack_from(data)
    if version != VERSION:
        return f"it has format version {version}, and this program knows version {VERSION} only"
    if crc32(data[: _HEADER.size]) != _CRC.unpack_from(data, _HEADER.size)[0]:
        return "the checksum of its header does not hold"
    return SegmentHeader(salt, Hash32(genesis_hash), first_position, term)


@dataclass(frozen=True, slots=True)
class Record:
    """One record that was read, and where it ends."""

    position: int
    durable: int
    payload: bytes
    end: int


def encode_record(salt: int, position: int, durable: int, payload: bytes) -> bytes:
    """The bytes of one record."""
    place = _PLACE.pack(position, durable)
    return _PREFIX.pack(len(payload), crc32(payload, crc32(place, salt))) + place + payload


def payload_length(data: bytes, offset: int) -> int:
    """The length that the record at ``offset`` claims, 0 at the end of the log."""
    return int.from_bytes(data[offset : offset + 4], "big")


def record_at(data: bytes, offset: int, salt: int) -> Record | None:
    """The record at ``offset``, or None if there is no whole and valid one."""
    if offset + RECORD_OVERHEAD > len(data):
        return None
    length, crc, position, durable = _RECORD.unpack_from(data, offset)
    start = offset + RECORD_OVERHEAD
    end = start + length
    if not 0 < length <= MAX_PAYLOAD_BYTES or end > len(data) or durable > position:
        return None
    payload = data[start:end]
    if crc32(payload, crc32(_PLACE.pack(position, durable), salt)) != crc:
        return None
    return Record(position, durable, payload, end)


def records(data: bytes, offset: int, salt: int, position: int) -> Iterator[Record]:
    """Consecutive valid records from ``offset`` on, of which the first has ``position``."""
    while (record := record_at(data, offset, salt)) is not None and record.position == position:
        yield record
        offset = record.end
        position += 1


def durable_beyond(data: bytes, offset: int, salt: int, position: int) -> int:
    """The highest ``durable`` of any valid record anywhere behind ``offset`` that comes after ``position``.

    Where the record at ``offset`` is bad its length means nothing, so later ones are found by looking for the
    bytes that their positions must have: the upper six, one search for each 65536 positions that fit.
    """
    stop = written_end(data)
    found = 0
    for ahead in range(0, (stop - offset) // RECORD_OVERHEAD + 0x10000, 0x10000):
        prefix = (position + ahead).to_bytes(8, "big")[:6]
        at = data.find(prefix, offset + 8, stop)
        while at >= 0:
            record = record_at(data, at - 8, salt)
            if record is not None and record.position > position:
                found = max(found, record.durable)
            at = data.find(prefix, at + 1, stop)
    return found


def written_end(data: bytes) -> int:
    """One past the last byte that is not zero."""
    return len(data.rstrip(b"\0"))
