"""What the sequence log tells its operators."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)


class LogMetrics:
    """Metrics of one log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.commit_seconds = Histogram(
            "sequencer_log_commit_seconds",
            "Time to write and sync one group of appends",
            buckets=_SECONDS,
            registry=registry,
        )
        self.entries = Counter("sequencer_log_entries", "Entries made durable", registry=registry)
        self.refused = Counter(
            "sequencer_log_refused_appends",
            "Appends that were not taken: another entry stands there, or an old fence",
            registry=registry,
        )
        self.no_space = Counter("sequencer_log_no_space", "Appends that found no space", registry=registry)
        self.next_position = Gauge("sequencer_log_next_position", "One past the newest entry", registry=registry)
        self.first_position = Gauge("sequencer_log_first_position", "The oldest entry kept", registry=registry)
        self.torn_bytes = Counter(
            "sequencer_log_torn_bytes",
            "Bytes of unacknowledged appends cut off at start",
            registry=registry,
        )
