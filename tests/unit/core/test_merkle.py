"""The tree's shape for every small size, and that a branch proves exactly one place."""

import pytest

from sequencer.core import merkle
from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_HASH

LEAVES = [merkle.leaf(bytes([i])) for i in range(33)]


def test_no_leaves_have_the_zero_root() -> None:
    assert merkle.root([]) == ZERO_HASH


def test_three_leaves_carry_the_lone_one_up() -> None:
    a, b, c = LEAVES[:3]
    assert merkle.root([a, b, c]) == keccak256(b"\x01" + keccak256(b"\x01" + a + b) + c)


@pytest.mark.parametrize("count", range(1, 34))
def test_each_branch_leads_to_the_root_from_its_own_place_only(count: int) -> None:
    leaves = LEAVES[:count]
    tree = merkle.levels(leaves)
    root = merkle.root(leaves)
    for index in range(count):
        branch = merkle.branch(tree, index)
        assert merkle.root_from_branch(leaves[index], index, count, branch) == root
        for other in range(count):
            if other != index:
                assert merkle.root_from_branch(leaves[index], other, count, branch) != root


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: (*b, ZERO_HASH)])
def test_a_branch_of_the_wrong_length_proves_nothing(change) -> None:
    branch = merkle.branch(merkle.levels(LEAVES[:5]), 2)
    assert merkle.root_from_branch(LEAVES[2], 2, 5, change(branch)) is None


@pytest.mark.parametrize("index", [-1, 5, 2**40])
def test_an_index_outside_proves_nothing(index: int) -> None:
    assert merkle.root_from_branch(LEAVES[2], index, 5, ()) is None
