"""What the RPC server counts. Method labels come from the method table only; all else is ``other``."""

from bisect import bisect_left

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OTHER = "other"


class CountedHistogram(Histogram):
    """A histogram that takes many equal observations at the cost of one."""

    def observe_many(self, amount: float, count: int) -> None:
        """As ``observe``, ``count`` times."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        self._sum.inc(amount * count)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(count)


class RpcMetrics:
    """One instance per process, shared by all chains."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "sequencer_rpc_requests",
            "JSON-RPC requests by method and error code (0: answered with a result).",
            ("method", "code"),
            registry=registry,
        )
        self.duration = CountedHistogram(
            "sequencer_rpc_request_duration_seconds",
            "Time from a parsed JSON-RPC request to its encoded response.",
            ("method",),
            buckets=(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
            registry=registry,
        )
        self.connections = Gauge("sequencer_rpc_connections", "Open TCP connections.", registry=registry)
        self.refused = Counter(
            "sequencer_rpc_refused_connections",
            "Connections closed by the server before a request was answered.",
            ("reason",),
            registry=registry,
        )
        self.websockets = Gauge("sequencer_rpc_websockets", "Open WebSockets.", registry=registry)
        self.subscriptions = Gauge("sequencer_rpc_subscriptions", "Live subscriptions.", ("kind",), registry=registry)
        self.dropped_subscribers = Counter(
            "sequencer_rpc_dropped_subscribers", "WebSockets closed because they read too slowly.", registry=registry
        )
        self._handles: dict[tuple[str, int], tuple[Counter, CountedHistogram]] = {}

    def observe(self, method: str, code: int, seconds: float, count: int = 1) -> None:
        """Count requests that took this long. ``method`` must be from the method table or ``OTHER``."""
        handles = self._handles.get((method, code))
        if handles is None:
            handles = (self.requests.labels(method, str(code)), self.duration.labels(method))
            self._handles[method, code] = handles
        handles[0].inc(count)
        handles[1].observe_many(seconds, count)
