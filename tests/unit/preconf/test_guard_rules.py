"""What the guard lets a key sign, row by row, and what it finds when it is held against the log."""

import pytest

from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32
from sequencer.preconf.guard import (
    FLASHBLOCKS_AHEAD,
    GuardRefused,
    GuardState,
    LogRolledBack,
    SignedPlace,
    Trail,
    check_batch,
)
from tests.unit.preconf.chains import GENESIS, batch, chain, flashblock

SIGNED = chain((5, 0), (5, 1), (7, 0), (7, 1))
TIP = SIGNED[-1]
H = TIP.struct_hash


def state_at(flashblocks: list[Flashblock]) -> GuardState:
    return GuardState().extended(flashblocks)


@pytest.mark.parametrize(
    "allowed",
    [
        pytest.param(flashblock(7, 2, H), id="the next index"),
        pytest.param(flashblock(8, 0, H), id="the next block"),
        pytest.param(flashblock(900, 0, H), id="a later block, after empty ones"),
        pytest.param(flashblock(8, 0, H, term=9), id="a later term"),
        pytest.param(TIP, id="the same once more"),
        pytest.param(flashblock(6, 0, reset=1), id="anywhere after a reset"),
    ],
)
def test_signs_what_is_on_one_chain(allowed: Flashblock) -> None:
    after = state_at(SIGNED).extended([allowed])
    assert after.newest == SignedPlace.of(allowed)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        pytest.param(flashblock(7, 1, SIGNED[2].struct_hash, salt=1), "equivocation", id="another at the same place"),
        pytest.param(SIGNED[2], "equivocation", id="an older one"),
        pytest.param(flashblock(6, 0, SIGNED[1].struct_hash), "equivocation", id="into a gap"),
        pytest.param(flashblock(8, 0), "not on one chain", id="a later one on another parent"),
        pytest.param(flashblock(8, 0, SIGNED[2].struct_hash), "not on one chain", id="a later one that forks off"),
        pytest.param(flashblock(7, 3, H), "not on one chain", id="an index left out"),
        pytest.param(flashblock(8, 1, H), "not on one chain", id="a block that begins with index 1"),
        pytest.param(flashblock(7, 2, H, term=0), "term", id="an older term"),
    ],
)
def test_refuses_what_is_not(refused: Flashblock, why: str) -> None:
    before = state_at(SIGNED)
    with pytest.raises(GuardRefused, match=why):
        before.extended([refused])


def test_nothing_of_an_earlier_reset_is_signed() -> None:
    after = state_at(SIGNED).extended([flashblock(6, 0, reset=1)])
    with pytest.raises(GuardRefused, match="equivocation"):
        after.extended([flashblock(8, 0, H)])


def test_a_run_is_taken_whole_or_not_at_all() -> None:
    before = state_at(SIGNED)
    with pytest.raises(GuardRefused):
        before.extended([*chain((8, 0), parent=H), flashblock(8, 1, GENESIS)])
    assert before.newest == SignedPlace.of(TIP)


# --------------------------------------------------------------------------------------------- batches

FIRST = batch(1)
SECOND = batch(2, FIRST.struct_hash)
BATCHES: dict[int, Hash32] = {1: FIRST.struct_hash, 2: SECOND.struct_hash}


@pytest.mark.parametrize(
    "allowed", [FIRST, SECOND, batch(3, SECOND.struct_hash), batch(9)], ids=["again", "newest", "next", "gap"]
)
def test_signs_batches_in_order(allowed) -> None:
    check_batch(BATCHES, allowed)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        pytest.param(batch(2, FIRST.struct_hash, salt=1), "second batch", id="another of the same sequence"),
        pytest.param(batch(0), "forgotten", id="below what is remembered"),
        pytest.param(batch(3, FIRST.struct_hash), "follows batch", id="on another batch"),
    ],
)
def test_refuses_a_second_batch(refused, why: str) -> None:
    with pytest.raises(GuardRefused, match=why):
        check_batch(BATCHES, refused)


# ------------------------------------------------------------------------------- guard against the log


def held_against(state: GuardState, log: list[Flashblock], resign_above: int = 0) -> GuardState:
    trail = Trail(state, resign_above)
    for item in log:
        trail.feed(item)
    return trail.verdict()


LONG = chain(*[(block, 0) for block in range(1, 30)])


def test_a_clean_stop() -> None:
    assert held_against(state_at(SIGNED), SIGNED) == state_at(SIGNED)


def test_a_crash_after_the_log_and_before_the_guard() -> None:
    assert held_against(state_at(LONG[:20]), LONG[: 20 + FLASHBLOCKS_AHEAD]).newest == SignedPlace.of(LONG[23])


def test_a_crash_before_the_very_first_signature() -> None:
    assert held_against(GuardState(), []) == GuardState()
    assert held_against(GuardState(), LONG[:1]).newest == SignedPlace.of(LONG[0])


def test_a_log_that_was_shortened_at_its_front() -> None:
    assert held_against(state_at(LONG[:20]), LONG[18:20]) == state_at(LONG[:20])
    assert held_against(state_at(LONG[:20]), LONG[20:22]) == state_at(LONG[:22])


@pytest.mark.parametrize("kept", [0, 1, 18, 19])
def test_a_log_that_was_rolled_back_is_refused(kept: int) -> None:
    with pytest.raises(LogRolledBack, match="rolled back"):
        held_against(state_at(LONG[:20]), LONG[:kept])


def test_a_rolled_back_log_that_grew_again_is_refused() -> None:
    forked = [*LONG[:18], *chain((19, 0), (20, 0), (21, 0), parent=LONG[17].struct_hash, salt=1)]
    with pytest.raises(GuardRefused, match="where the key has signed"):
        held_against(state_at(LONG[:20]), forked)


@pytest.mark.parametrize("known", [0, 3, 20 - FLASHBLOCKS_AHEAD - 1])
def test_an_older_guard_is_refused(known: int) -> None:
    with pytest.raises(GuardRefused, match="older than the log"):
        held_against(state_at(LONG[:known]), LONG[:20])


def test_an_older_guard_is_refused_by_a_shortened_log() -> None:
    with pytest.raises(GuardRefused, match="older than the log"):
        held_against(state_at(LONG[:5]), LONG[10:20])


def test_a_log_that_is_not_one_chain_is_refused() -> None:
    with pytest.raises(GuardRefused, match="not one chain"):
        held_against(GuardState(), [LONG[0], LONG[2]])


def test_only_what_is_needed_may_be_signed_again() -> None:
    trail = Trail(state_at(LONG[:20]), resign_above=18)
    for item in LONG[:20]:
        trail.feed(item)
    trail.verdict()
    assert trail.on_chain == {LONG[18].struct_hash, LONG[19].struct_hash}
