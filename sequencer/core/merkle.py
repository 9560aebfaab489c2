"""The binary Merkle tree of flashblocks and batches (protocol, sections 1 and 5).

::

    leaf = keccak256(0x00 || content)
    node = keccak256(0x01 || left || right)        a lone node is carried up unchanged

Leaf and node prefixes differ, so no node can pass for a leaf. A branch lists the siblings from the leaf
up; on which side each one stands follows from the leaf's index and the number of leaves alone, so a
branch carries no directions that could be forged.
"""

from collections.abc import Sequence

from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_HASH, Hash32


def leaf(content: bytes) -> Hash32:
    """The hash of a leaf's content."""
    return keccak256(b"\x00" + content)


def node(left: Hash32, right: Hash32) -> Hash32:
    """The hash of an inner node."""
    return keccak256(b"\x01" + left + right)


def levels(leaves: Sequence[Hash32]) -> list[list[Hash32]]:
    """Every level of the tree, leaves first, root last. Empty without leaves."""
    if not leaves:
        return []
    tree = [list(leaves)]
    while len(tree[-1]) > 1:
        below = tree[-1]
        above = [node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        tree.append(above)
    return tree


def root(leaves: Sequence[Hash32]) -> Hash32:
    """The root; 32 zero bytes without leaves."""
    tree = levels(leaves)
    return tree[-1][0] if tree else ZERO_HASH


def branch(tree: Sequence[Sequence[Hash32]], index: int) -> tuple[Hash32, ...]:
    """The siblings of leaf ``index``, from the leaf up."""
    siblings = []
    for level in tree[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            siblings.append(level[sibling])
        index >>= 1
    return tuple(siblings)


def root_from_branch(leaf_hash: Hash32, index: int, count: int, siblings: Sequence[Hash32]) -> Hash32 | None:
    """The root that the branch leads to, or None when its length does not fit ``index`` and ``count``."""
    if not 0 <= index < count:
        return None
    current, used = leaf_hash, 0
    while count > 1:
        if index ^ 1 < count:
            if used == len(siblings):
                return None
            sibling = siblings[used]
            used += 1
            current = node(sibling, current) if index & 1 else node(current, sibling)
        index >>= 1
        count = (count + 1) >> 1
    return current if used == len(siblings) else None
