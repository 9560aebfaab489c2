"""Share commitments: how a Celestia block names a blob (celestia-app, ADR 13; go-square; nmt).

::

    leaf(share)       ns || ns || sha256(0x00 || ns || share)         90 bytes: least and greatest namespace, digest
    node(l, r)        min || max || sha256(0x01 || l || r)
    subtrees          the shares in order, cut into powers of two, none larger than the subtree width
    commitment        RFC 6962 Merkle root over the roots of the subtrees: sha256(0x00 || root), sha256(0x01 || l || r)

All shares of a blob are of one namespace, so min and max of every node are that namespace. A node computes the
commitment itself and ignores the one that is sent with a blob; so do we, and we believe none that comes back.
"""

from collections.abc import Sequence
from hashlib import sha256
from math import isqrt
from typing import Final

from da.celestia import shares
from da.celestia.namespace import Namespace

SUBTREE_ROOT_THRESHOLD: Final = 64
COMMITMENT_BYTES: Final = 32


def commitment(namespace: Namespace, data: bytes, version: int = 0, signer: bytes = b"") -> bytes:
    """The share commitment of a blob, 32 bytes. Raises ``Malformed`` as ``shares.split``."""
    return _merkle_root(subtree_roots(namespace, shares.split(namespace, data, version, signer)))


def subtree_roots(namespace: Namespace, pieces: Sequence[bytes]) -> list[bytes]:
    """The 90-byte roots of the subtrees over a blob's shares, in order."""
    span = namespace + namespace
    leaf_prefix = b"\0" + namespace
    leaves = [span + sha256(leaf_prefix + piece).digest() for piece in pieces]
    roots = []
    at = 0
    for size in mountain_sizes(len(pieces), subtree_width(len(pieces))):
        roots.append(_subtree_root(span, leaves[at : at + size]))
        at += size
    return roots


def subtree_width(share_count: int) -> int:
    """The largest subtree: grows with the blob, so that there are about ``SUBTREE_ROOT_THRESHOLD`` of them."""
    width = _power_of_two(-(-share_count // SUBTREE_ROOT_THRESHOLD))
    return min(width, _power_of_two(isqrt(share_count - 1) + 1))


def mountain_sizes(share_count: int, width: int) -> list[int]:
    """``share_count`` as a sum of powers of two, as many of ``width`` as there are, then smaller and smaller."""
    sizes = [width] * (share_count // width)
    rest = share_count % width
    while rest:
        sizes.append(1 << (rest.bit_length() - 1))
        rest -= sizes[-1]
    return sizes


def _subtree_root(span: bytes, level: Sequence[bytes]) -> bytes:
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [span + sha256(b"\1" + left + right).digest() for left, right in pairs]
    return level[0]


def _merkle_root(items: Sequence[bytes]) -> bytes:
    if len(items) == 1:
        return sha256(b"\0" + items[0]).digest()
    cut = 1 << ((len(items) - 1).bit_length() - 1)
    return sha256(b"\1" + _merkle_root(items[:cut]) + _merkle_root(items[cut:])).digest()


def _power_of_two(number: int) -> int:
    """The least power of two that is not below ``number``."""
    return 1 << (number - 1).bit_length()
