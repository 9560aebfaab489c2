"""The 2048-bit log filter of receipts and headers (Yellow Paper, section 4.3.1)."""

from collections.abc import Iterable
from typing import Final

from sequencer.core.keccak import keccak256

EMPTY: Final = bytes(256)


def bits_of(entry: bytes) -> int:
    """The three bits that an address or topic sets, as one integer."""
    digest = keccak256(entry)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bits


def bloom_of(entries: Iterable[bytes]) -> bytes:
    """The 256-byte filter over addresses and topics."""
    bits = 0
    for entry in entries:
        bits |= bits_of(entry)
    return bits.to_bytes(256, "big")


def union(blooms: Iterable[bytes]) -> bytes:
    """The filter that matches whatever any of ``blooms`` matches."""
    bits = 0
    for bloom in blooms:
        bits |= int.from_bytes(bloom, "big")
    return bits.to_bytes(256, "big")
