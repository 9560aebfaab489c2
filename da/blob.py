"""Packing: the frames of a batch become blobs within a layer's limits, the same ones every time.

A blob is plain bytes here. What a layer must do to carry them (31 usable bytes in each field element of an
EIP-4844 blob, shares on Celestia) is done and undone in its adapter, behind ``DataAvailability``.
"""

from typing import Final

from da import frame
from sequencer.core.types import Hash32

SMALLEST_BLOB_BYTES: Final = 2 * frame.HEAD_BYTES
"""A layer with smaller blobs would spend more on frame heads than on content."""


def pack(header_hash: Hash32, encoded: bytes, blob_size_bytes: int) -> list[bytes]:
    """The blobs that carry an encoded batch, each of at most ``blob_size_bytes``: one frame a blob."""
    frames = frame.split(header_hash[: frame.ID_BYTES], encoded, blob_size_bytes - frame.HEAD_BYTES)
    return [piece.encode() for piece in frames]
