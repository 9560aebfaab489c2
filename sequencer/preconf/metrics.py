"""Metrics of promising."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY = (0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 5)


class PreconfMetrics:
    """Declared once a chain."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.flashblocks = Counter("sequencer_flashblocks_signed", "Flashblocks signed.", registry=registry)
        self.promises = Counter(
            "sequencer_preconfirmations_issued", "Transactions whose place was promised.", registry=registry
        )
        self.latency_seconds = Histogram(
            "sequencer_preconfirmation_latency_seconds",
            "From a transaction's arrival to its signed pre-confirmation.",
            buckets=_LATENCY,
            registry=registry,
        )
        self.append_seconds = Histogram(
            "sequencer_log_append_seconds",
            "Time until appended entries are durable.",
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1),
            registry=registry,
        )
        self.stalled = Gauge(
            "sequencer_log_stalled", "1 while the log cannot take entries (no space left), else 0.", registry=registry
        )
