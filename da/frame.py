"""Frames: pieces of batches in blobs, so that a batch may be larger than a blob and a blob fuller than a batch.

Numbers are big-endian.

::

    blob    frame || frame || ... || padding        padding: zero bytes, where a layer's blobs have a fixed size
    frame   version(1) = 1 || batch id(16) || number(2) || flags(1) || length(4) || payload(length)

    batch id   the first 16 bytes of the header's struct hash
    number     0, 1, 2 ... within the batch, below 512
    flags      bit 0: the last frame of its batch; all others zero

Anyone may write anything to a DA layer, so parsing takes the frames that stand at the front of a blob and
says whether garbage followed. Nothing in a frame is believed until the whole batch has been verified.
"""

import struct
from dataclasses import dataclass
from typing import Final

from da.limits import MAX_BLOB_FRAMES, MAX_FRAMES
from sequencer.core.errors import Malformed

VERSION: Final = 1
ID_BYTES: Final = 16
_HEAD: Final = struct.Struct(">B16sHBI")
HEAD_BYTES: Final = _HEAD.size
_LAST: Final = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One piece of a batch."""

    batch_id: bytes
    number: int
    is_last: bool
    payload: bytes

    def encode(self) -> bytes:
        """The bytes of the frame."""
        flags = _LAST if self.is_last else 0
        return _HEAD.pack(VERSION, self.batch_id, self.number, flags, len(self.payload)) + self.payload


@dataclass(frozen=True, slots=True)
class ParsedBlob:
    """The frames at the front of a blob. ``garbage`` says what is wrong with the rest, if anything is."""

    frames: tuple[Frame, ...]
    garbage: str = ""


def split(batch_id: bytes, encoded: bytes, payload_bytes: int) -> list[Frame]:
    """``encoded`` cut into frames of at most ``payload_bytes``. Raises ``Malformed`` if there would be too many."""
    if payload_bytes < 1 or len(encoded) > payload_bytes * MAX_FRAMES:
        raise Malformed("frame: the batch does not fit into frames of this size")
    starts = range(0, max(len(encoded), 1), payload_bytes)
    last = len(starts) - 1
    return [Frame(batch_id, n, n == last, encoded[at : at + payload_bytes]) for n, at in enumerate(starts)]


def parse(blob: bytes) -> ParsedBlob:
    """The frames of a blob. Never raises."""
    frames: list[Frame] = []
    at = 0
    while at < len(blob):
        if blob[at] == 0:
            return ParsedBlob(tuple(frames), "" if not any(blob[at:]) else "bytes after the padding")
        if len(frames) == MAX_BLOB_FRAMES:
            return ParsedBlob(tuple(frames), "too many frames in one blob")
        if len(blob) - at < HEAD_BYTES:
            return ParsedBlob(tuple(frames), "a frame is cut short")
        version, batch_id, number, flags, length = _HEAD.unpack_from(blob, at)
        start = at + HEAD_BYTES
        if version != VERSION or flags & ~_LAST or number >= MAX_FRAMES:
            return ParsedBlob(tuple(frames), "unknown version or flags, or too high a number")
        if length > len(blob) - start:
            return ParsedBlob(tuple(frames), "a frame is longer than its blob")
        at = start + length
        frames.append(Frame(batch_id, number, bool(flags & _LAST), blob[start:at]))
    return ParsedBlob(tuple(frames))
