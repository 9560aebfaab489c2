"""A histogram that is told of many values at once: every transaction's latency counts, and none may cost much.

The library's own histogram takes one value at a time, which would be a tenth of all that happens to a transaction
between its pick and its promise.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class LatencyHistogram(Collector):
    """Shown in seconds, told in milliseconds. ``bounds_s`` rise. For one thread."""

    def __init__(self, name: str, documentation: str, bounds_s: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds_s = tuple(bounds_s)
        self._bounds_ms = [bound * 1000 for bound in bounds_s]
        self._counts = [0] * (len(self._bounds_s) + 1)
        self._sum_ms = 0
        registry.register(self)

    def observe_ms(self, latencies_ms: Iterable[int]) -> None:
        """These happened."""
        counts, bounds_ms, sum_ms = self._counts, self._bounds_ms, 0
        for latency_ms in latencies_ms:
            counts[bisect_left(bounds_ms, latency_ms)] += 1
            sum_ms += latency_ms
        self._sum_ms += sum_ms

    def collect(self) -> Iterator[Metric]:
        """How many were at most as long as each bound."""
        buckets, total = [], 0
        for bound, count in zip((*map(float, self._bounds_s), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((str(bound), total))
        yield HistogramMetricFamily(self._name, self._documentation, buckets, self._sum_ms / 1000)
