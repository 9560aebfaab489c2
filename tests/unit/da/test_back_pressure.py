"""The chain slows as smoothly as the backlog grows, never stops, and speeds up again as it drains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from da.backpressure import FULL_PACE, BackPressureConfig, Pace, Waiting, load_percent, pace, together
from sequencer.core.errors import ConfigError

CONFIG = BackPressureConfig(max_unposted_bytes=1000, max_unposted_age_ms=10_000)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (0, FULL_PACE),
        (50, FULL_PACE),
        (51, Pace(98, accepts_new=True)),
        (75, Pace(50, accepts_new=True)),
        (89, Pace(22, accepts_new=True)),
        (90, Pace(20, accepts_new=False)),
        (99, Pace(2, accepts_new=False)),
        (100, Pace(0, accepts_new=False)),
        (5000, Pace(0, accepts_new=False)),
    ],
)
def test_paces(load: int, expected: Pace) -> None:
    assert pace(load) == expected


@given(st.integers(0, 300))
def test_more_load_never_means_more_pace_and_no_step_is_large(load: int) -> None:
    here, further = pace(load), pace(load + 1)
    assert 0 <= here.gas_percent - further.gas_percent <= 2
    assert here.accepts_new or not further.accepts_new


def test_load_is_by_bytes_or_age_whichever_is_worse() -> None:
    assert load_percent(Waiting(0, None), 10**9, CONFIG) == 0
    assert load_percent(Waiting(700, 9_000), 10_000, CONFIG) == 70
    assert load_percent(Waiting(100, 0), 5_000, CONFIG) == 50
    assert load_percent(Waiting(0, 20_000), 10_000, CONFIG) == 0


def test_what_waits_is_counted_in_batcher_and_outbox() -> None:
    assert together(10, 500, 20, 300) == Waiting(30, 300)
    assert together(10, 500, 0, None) == Waiting(10, 500)
    assert together(0, None, 0, None) == Waiting(0, None)


def test_an_outage_slows_the_chain_to_empty_blocks_and_recovery_frees_it() -> None:
    """Blocks of up to 100 bytes each second into room for 1,000, nothing posted for a while, then all of it."""
    waiting, seen = 0, []
    for _ in range(200):
        allowed = pace(load_percent(Waiting(waiting, None), 0, CONFIG))
        waiting += allowed.gas_percent
        seen.append(allowed.gas_percent)
    assert seen[0] == 100
    assert seen[-1] == 0
    assert waiting <= CONFIG.max_unposted_bytes
    assert sorted(seen, reverse=True) == seen
    assert pace(load_percent(Waiting(waiting // 4, None), 0, CONFIG)) == FULL_PACE


@pytest.mark.parametrize("name", ["max_unposted_bytes", "max_unposted_age_ms"])
def test_limits_must_be_positive(name: str) -> None:
    with pytest.raises(ConfigError):
        BackPressureConfig(**{name: 0})
