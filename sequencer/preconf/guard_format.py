"""The bytes of a guard file. Integers are big-endian.

::

    file    = header || zeros up to byte 4096 || slot(512) x 128 || batch(64) x 1024

    header  = magic(8) | version u32 | key(20) | chain id(32) | genesis hash(32) | home inode u64
              | home machine(16) | crc32 u32
    slot    = sequence u64 | newest known u8 | newest(64) | crc32 u32 | zeros
    place   = epoch u64 | term u64 | reset u32 | block number u64 | index u32 | struct hash(32)
    batch   = sequence u64 | struct hash(32) | crc32 u32 | zeros

Slots are written in turn, the one with the highest valid sequence counts. Each has a disk sector to itself, so a
torn write destroys only the slot that was being written, which nobody was told about. A batch stands at its
sequence modulo 1024. Every byte is written when the file is made: later writes change content only, never the
file's size or extents, which makes them as cheap to sync as can be and safe from a full disk.
"""

import struct
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from sequencer.core.types import Address, Hash32
from sequencer.preconf.guard import GuardState, SignedBatch, SignedPlace

MAGIC: Final = b"sigguard"
VERSION: Final = 2
SUFFIX: Final = ".guard"
HEADER_BYTES: Final = 4096
SLOT_BYTES: Final = 512
SLOTS: Final = 128
BATCH_BYTES: Final = 64
BATCHES: Final = 1024
BATCHES_START: Final = HEADER_BYTES + SLOTS * SLOT_BYTES
FILE_BYTES: Final = BATCHES_START + BATCHES * BATCH_BYTES

_HEADER: Final = struct.Struct(">8sI20s32s32sQ16s")
_PLACE: Final = struct.Struct(">QQIQI32s")
_SLOT: Final = struct.Struct(f">QB{_PLACE.size}s")
_BATCH: Final = struct.Struct(">Q32s")
_CRC: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class GuardedChain:
    """Whose signatures on which chain a guard watches."""

    key: Address
    chain_id: int
    genesis_hash: Hash32

    @property
    def file_name(self) -> str:
        """Of this guard's file."""
        return f"0x{self.key.hex()}-{self.chain_id}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Home:
    """Where a guard file was made: a copy of it has another inode, a cloned disk runs on another machine."""

    inode: int
    machine: bytes


def encode_header(chain: GuardedChain, home: Home) -> bytes:
    """The header with its checksum."""
    body = _HEADER.pack(
        MAGIC, VERSION, chain.key, chain.chain_id.to_bytes(32, "big"), chain.genesis_hash, home.inode, home.machine
    )
    return body + _CRC.pack(crc32(body))


def decode_header(data: bytes) -> tuple[GuardedChain, Home] | str:
    """Chain and home, or what is wrong with the file."""
    if len(data) < FILE_BYTES or data[:8] != MAGIC:
        return "it is not a guard file, or a part of one"
    _, version, key, chain_id, genesis_hash, inode, machine = _HEADER.unpack_from(data)
    if version != VERSION:
        return f"it has format version {version}, and this program knows version {VERSION} only"
    if crc32(data[: _HEADER.size]) != _CRC.unpack_from(data, _HEADER.size)[0]:
        return "the checksum of its header does not hold"
    chain = GuardedChain(Address(key), int.from_bytes(chain_id, "big"), Hash32(genesis_hash))
    return chain, Home(inode, machine)


def slot_offset(sequence: int) -> int:
    """Where the slot with this sequence stands."""
    return HEADER_BYTES + sequence % SLOTS * SLOT_BYTES


def encode_slot(sequence: int, state: GuardState) -> bytes:
    """One slot, without the zeros behind it."""
    newest = _encode_place(state.newest)
    body = _SLOT.pack(sequence, bool(newest), newest)
    return body + _CRC.pack(crc32(body))


def newest_slot(data: bytes) -> tuple[int, GuardState] | None:
    """The slot that counts, None if none is valid."""
    found: tuple[int, GuardState] | None = None
    for offset in range(HEADER_BYTES, BATCHES_START, SLOT_BYTES):
        body = data[offset : offset + _SLOT.size]
        if crc32(body) != _CRC.unpack_from(data, offset + _SLOT.size)[0]:
            continue
        sequence, has_newest, newest = _SLOT.unpack(body)
        if found is None or sequence > found[0]:
            found = sequence, GuardState(_decode_place(newest) if has_newest else None)
    return found


def batch_offset(sequence: int) -> int:
    """Where the batch with this sequence stands."""
    return BATCHES_START + sequence % BATCHES * BATCH_BYTES


def encode_batch(batch: SignedBatch) -> bytes:
    """One batch record, without the zeros behind it."""
    body = _BATCH.pack(batch.sequence, batch.struct_hash)
    return body + _CRC.pack(crc32(body))


def batches(data: bytes) -> dict[int, Hash32]:
    """Every valid batch record: struct hash by sequence."""
    found = {}
    for offset in range(BATCHES_START, FILE_BYTES, BATCH_BYTES):
        body = data[offset : offset + _BATCH.size]
        if crc32(body) == _CRC.unpack_from(data, offset + _BATCH.size)[0]:
            sequence, struct_hash = _BATCH.unpack(body)
            found[sequence] = Hash32(struct_hash)
    return found


def _encode_place(place: SignedPlace | None) -> bytes:
    if place is None:
        return b""
    return _PLACE.pack(place.epoch, place.term, place.reset, place.block_number, place.index, place.struct_hash)


def _decode_place(data: bytes) -> SignedPlace:
    epoch, term, reset, block_number, index, struct_hash = _PLACE.unpack(data)
    return SignedPlace(epoch, term, reset, block_number, index, Hash32(struct_hash))
