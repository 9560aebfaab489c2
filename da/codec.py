"""The batch: a signed header and the compressed body that it commits to (protocol, section 5).

Numbers are big-endian.

::

    batch       version(1) = 1 || header(208) || count(1) || signature(65) ... || zstd(body)

    header      epoch(8) || term(8) || reset(4) || sequence(8) || previousBatch(32) || firstBlock(8)
                || lastBlock(8) || lastBlockHash(32) || stateRoot(32) || flashblocksRoot(32)
                || flashblockCount(4) || dataHash(32)
    signature   r(32) || s(32) || v(1), v in {27, 28}, over the EIP-712 digest of the header

The header's struct hash, without signatures, is the batch's identity; ``dataHash`` covers the uncompressed
body, because the output of a compressor changes with its version.
"""

import struct
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Final

from da import compression
from da.limits import MAX_BATCH_BYTES, MAX_BODY_BYTES, MAX_SIGNATURES
from sequencer.core.batch import BatchHeader
from sequencer.core.entries import BatchClosed
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.types import Signature

VERSION: Final = 1
_HEADER: Final = struct.Struct(">QQIQ32sQQ32s32s32sI32s")
HEADER_BYTES: Final = _HEADER.size
SIGNATURE_BYTES: Final = 65
_FIXED_BYTES: Final = 1 + HEADER_BYTES + 1


@dataclass(frozen=True, slots=True)
class ClosedBatch:
    """A batch that is cut but not yet signed. ``body`` is not compressed."""

    header: BatchHeader
    body: bytes
    transactions: int = 0
    transaction_bytes: int = 0

    @property
    def log_entry(self) -> BatchClosed:
        """What the log keeps of it, before anything is sent."""
        header = self.header
        return BatchClosed(header.sequence, header.first_block, header.last_block, header.data_hash)

    def signed(self, signatures: Sequence[Signature]) -> "SignedBatch":
        """This batch under ``signatures`` of the header's digest."""
        return SignedBatch(self.header, tuple(signatures), self.body, self.transactions, self.transaction_bytes)


@dataclass(frozen=True)
class SignedBatch:
    """A batch that may be posted."""

    header: BatchHeader
    signatures: tuple[Signature, ...]
    body: bytes
    transactions: int = 0
    transaction_bytes: int = 0

    @cached_property
    def encoded(self) -> bytes:
        """The bytes of the batch. Compresses the body: for a large one, ask for this in a thread first."""
        return encode(self.header, self.signatures, compression.compress(self.body))


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch as found on DA: nothing verified, the body still compressed."""

    header: BatchHeader
    signatures: tuple[Signature, ...]
    compressed: bytes

    @property
    def encoded(self) -> bytes:
        """The bytes of the batch, as they were found."""
        return encode(self.header, self.signatures, self.compressed)

    def open(self) -> bytes:
        """The body, if it is the one that the header commits to. Raises ``Malformed``."""
        content = compression.decompress(self.compressed, MAX_BODY_BYTES)
        if keccak256(content) != self.header.data_hash:
            raise Malformed("batch: the body is not the one that dataHash commits to")
        return content


def encode_header(header: BatchHeader) -> bytes:
    """The 208 bytes of a header."""
    return _HEADER.pack(*astuple(header))


def decode_header(encoded: bytes) -> BatchHeader:
    """The header from its 208 bytes. Raises ``Malformed``."""
    if len(encoded) != HEADER_BYTES:
        raise Malformed(f"batch: a header has {HEADER_BYTES} bytes, not {len(encoded)}")
    return BatchHeader(*_HEADER.unpack(encoded))


def encode(header: BatchHeader, signatures: Sequence[Signature], compressed: bytes) -> bytes:
    """The bytes of a batch."""
    return b"".join((bytes((VERSION,)), encode_header(header), bytes((len(signatures),)), *signatures, compressed))


def decode(encoded: bytes) -> SealedBatch:
    """A batch's parts, none of them verified or decompressed. Raises ``Malformed``."""
    if not _FIXED_BYTES <= len(encoded) <= MAX_BATCH_BYTES:
        raise Malformed("batch: too short or too long")
    if encoded[0] != VERSION:
        raise Malformed(f"batch: unknown version {encoded[0]}")
    header = decode_header(encoded[1 : 1 + HEADER_BYTES])
    count = encoded[_FIXED_BYTES - 1]
    start = _FIXED_BYTES + count * SIGNATURE_BYTES
    if count > MAX_SIGNATURES or start > len(encoded):
        raise Malformed(f"batch: {count} signatures are too many")
    signatures = tuple(
        Signature(encoded[at : at + SIGNATURE_BYTES]) for at in range(_FIXED_BYTES, start, SIGNATURE_BYTES)
    )
    return SealedBatch(header, signatures, encoded[start:])
