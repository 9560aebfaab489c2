"""Bytes that were refused for good are refused again without looking at them."""

from dataclasses import replace

import pytest

from mempool.refusals import Refusals
from sequencer.core.errors import Reason, Rejected
from sequencer.core.keccak import keccak256
from tests.unit.mempool.makers import RULES

HASH = keccak256(b"raw")


@pytest.mark.parametrize("reason", [Reason.INVALID_SENDER, Reason.MALFORMED, Reason.INTRINSIC_GAS])
def test_the_same_answer_again(reason: Reason) -> None:
    refusals = Refusals(10)
    refusals.check(HASH, RULES)
    refusals.add(HASH, Rejected(reason, "why"), RULES)
    with pytest.raises(Rejected) as again:
        refusals.check(HASH, RULES)
    assert (again.value.reason, again.value.detail) == (reason, "why")
    assert refusals.reason(HASH) is reason


@pytest.mark.parametrize(
    "reason", [Reason.INSUFFICIENT_FUNDS, Reason.NONCE_TOO_HIGH, Reason.POOL_FULL, Reason.NOT_ACCEPTING]
)
def test_what_may_change_is_not_remembered(reason: Reason) -> None:
    refusals = Refusals(10)
    refusals.add(HASH, Rejected(reason), RULES)
    refusals.check(HASH, RULES)
    assert refusals.reason(HASH) is None


def test_other_rules_make_it_void() -> None:
    refusals = Refusals(10)
    refusals.add(HASH, Rejected(Reason.TYPE_NOT_SUPPORTED), RULES)
    later = replace(RULES, fork="osaka")
    refusals.check(HASH, later)
    refusals.add(keccak256(b"other"), Rejected(Reason.MALFORMED), later)
    refusals.check(HASH, RULES)


def test_memory_is_bounded() -> None:
    refusals = Refusals(3)
    hashes = [keccak256(b"%d" % number) for number in range(5)]
    for name in hashes:
        refusals.add(name, Rejected(Reason.MALFORMED), RULES)
    assert [refusals.reason(name) is not None for name in hashes] == [False, False, True, True, True]
