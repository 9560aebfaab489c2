"""The histogram of latencies shows what the library's own one would, given the same values."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from sequencer.preconf.latency import LatencyHistogram

BOUNDS = (0.001, 0.005, 0.25, 2)
VALUES_MS = [0, 1, 1, 2, 5, 6, 249, 250, 251, 1_999, 2_000, 2_001, 90_000]


def test_it_shows_what_the_library_would() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    many = LatencyHistogram("latency_seconds", "How long.", BOUNDS, ours)
    one_by_one = Histogram("latency_seconds", "How long.", buckets=BOUNDS, registry=theirs)
    many.observe_ms(VALUES_MS[:4])
    many.observe_ms(VALUES_MS[4:])
    for value_ms in VALUES_MS:
        one_by_one.observe(value_ms / 1000)
    shown = [line for line in generate_latest(theirs).decode().splitlines() if "_created" not in line]
    assert generate_latest(ours).decode().splitlines() == shown


def test_nothing_observed_is_shown_as_zero() -> None:
    registry = CollectorRegistry()
    LatencyHistogram("latency_seconds", "How long.", BOUNDS, registry)
    assert 'latency_seconds_bucket{le="+Inf"} 0.0' in generate_latest(registry).decode()
