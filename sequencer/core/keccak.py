"""Keccak-256, the one hash of every format of this node (Yellow Paper, appendix)."""

from typing import Final

from sha3 import keccak_256 as _keccak_256

from sequencer.core.types import Hash32


def keccak256(data: bytes) -> Hash32:
    """The 32-byte Keccak-256 digest of ``data``."""
    return Hash32(_keccak_256(data).digest())


EMPTY_HASH: Final = keccak256(b"")
"""keccak256 of nothing: the code hash of an account without code."""
EMPTY_TRIE_ROOT: Final = keccak256(b"\x80")
"""Root of an empty Merkle-Patricia trie: keccak256 of the RLP of the empty string."""
EMPTY_LIST_HASH: Final = keccak256(b"\xc0")
"""keccak256 of the RLP of an empty list: the ommers hash of every block."""
