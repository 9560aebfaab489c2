"""Where logs of an address or topic are: exact rows written with each block, so that no bloom filter is needed.

A header's bloom has 2048 bits; a block of a thousand token transfers sets nearly all of them, and then tells
nothing. A posting names the transactions of one block that logged one address, or one topic at one place::

    0x22 || kind(1) || the last 8 bytes of the address or topic || block number u64 -> position u32 ...

    kind 0      the address
    kind 1..4   the topic at place 0..3
    kind 0xff   (8 zero bytes) any log at all; without positions

Eight bytes are not the whole value, so what a posting points to is looked at before it is believed.
"""

import struct
from collections.abc import Iterable
from typing import Final

from sequencer.core.receipt import Outcome
from sequencer.storage.table import LOG_POSTINGS, u64

ADDRESS: Final = b"\x00"
TOPICS: Final = (b"\x01", b"\x02", b"\x03", b"\x04")
ANY: Final = b"\xff" + bytes(8)


def term(kind: bytes, value: bytes) -> bytes:
    """What is looked up for a value of a kind."""
    return kind + value[-8:]


def posting_key(of: bytes, number: int) -> bytes:
    """The key of a term's posting in block ``number``."""
    return LOG_POSTINGS + of + u64(number)


def postings(number: int, outcomes: Iterable[Outcome]) -> dict[bytes, bytes]:
    """The posting rows of a block."""
    found: dict[bytes, list[int]] = {}
    for position, outcome in enumerate(outcomes):
        terms = set()
        for log in outcome.logs:
            terms.add(ADDRESS + log.address[-8:])
            for kind, topic in zip(TOPICS, log.topics, strict=False):
                terms.add(kind + topic[-8:])
        for each in terms:
            found.setdefault(each, []).append(position)
    rows = {posting_key(of, number): encode_positions(positions) for of, positions in found.items()}
    if rows:
        rows[posting_key(ANY, number)] = b""
    return rows


def encode_positions(positions: list[int]) -> bytes:
    """Positions in ascending order."""
    return struct.pack(f">{len(positions)}I", *positions)


def decode_positions(row: bytes) -> tuple[int, ...]:
    """The positions of a posting."""
    return struct.unpack(f">{len(row) // 4}I", row)
