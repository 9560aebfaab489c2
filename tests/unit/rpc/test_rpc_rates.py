"""Rates by address: buckets that fill with time, whose they are, and room for sockets."""

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.rpc.access import client_address
from sequencer.rpc.descriptors import allow_connections
from sequencer.rpc.rates import RateLimiter


def test_a_burst_then_the_steady_rate() -> None:
    limiter = RateLimiter(rate=10, burst_s=2)
    assert [limiter.take("192.0.2.1", 5, 100.0) for _ in range(4)] == [0.0] * 4
    assert limiter.take("192.0.2.1", 5, 100.0) == pytest.approx(0.5)
    assert limiter.take("192.0.2.1", 5, 100.4) == pytest.approx(0.1), "what is refused costs nothing"
    assert limiter.take("192.0.2.1", 5, 100.5) == 0.0
    assert limiter.take("192.0.2.2", 20, 100.5) == 0.0, "others have buckets of their own"


def test_one_request_larger_than_the_bucket_leaves_a_debt() -> None:
    limiter = RateLimiter(rate=10, burst_s=1)
    assert limiter.take("192.0.2.1", 25, 0.0) == 0.0
    assert limiter.take("192.0.2.1", 1, 0.0) == pytest.approx(1.6)
    assert limiter.take("192.0.2.1", 25, 1.0) == pytest.approx(1.5)
    assert limiter.take("192.0.2.1", 25, 2.5) == 0.0


def test_no_rate_is_no_limit() -> None:
    limiter = RateLimiter(rate=0, burst_s=1)
    assert limiter.take("192.0.2.1", 10**9, 0.0) == 0.0
    assert len(limiter) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    limiter = RateLimiter(rate=10, burst_s=1)
    assert limiter.take(one, 10, 0.0) == 0.0
    assert (limiter.take(other, 10, 0.0) > 0) == same


def test_the_table_forgets_who_asked_longest_ago() -> None:
    limiter = RateLimiter(rate=1, burst_s=1, addresses_kept=3)
    for last in range(5):
        limiter.take(f"192.0.2.{last}", 1, 0.0)
    assert len(limiter) == 3
    assert limiter.take("192.0.2.0", 1, 0.0) == 0.0
    assert limiter.take("192.0.2.4", 1, 0.0) > 0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 30)), min_size=1, max_size=40))
def test_never_more_than_the_burst_and_the_rate(asks: list[tuple[float, int]]) -> None:
    limiter, now, granted = RateLimiter(rate=10, burst_s=3), 0.0, 0
    for pause, cost in asks:
        now += pause
        granted += cost if limiter.take("192.0.2.1", cost, now) == 0 else 0
        assert granted <= 30 + 10 * now + 1e-6


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2,10.0.0.1", "10.0.0.2"),
    ],
)
def test_the_client_behind_proxies_of_ours(peer: str, forwarded: str, client: str) -> None:
    assert client_address(peer, forwarded, ("10.0.0.1", "10.0.0.2")) == client


def test_open_files_are_allowed_as_far_as_the_hard_limit_goes() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        assert allow_connections(500) == 500
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500 + 1_024
        if before[1] != resource.RLIM_INFINITY:
            assert allow_connections(before[1]) == before[1] - 1_024
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
