"""The hash of a block that may still be open."""

from typing import Final

from sequencer.core.block import Header, PayloadAttributes
from sequencer.core.encoding import data
from sequencer.core.types import ZERO_HASH

UNSEALED: Final = data(ZERO_HASH)
"""Stands for the hash of a block until it is sealed (protocol, section 1)."""


def block_hash(block: Header | PayloadAttributes) -> str:
    """The hash in hex, 32 zero bytes for an open block."""
    return data(block.hash) if isinstance(block, Header) else UNSEALED
