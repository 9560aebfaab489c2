"""Metrics of verifying."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class VerificationMetrics:
    """Declared once a chain."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.height = Gauge(
            "sequencer_verified_block_height", "Newest block that a second engine executed alike.", registry=registry
        )
        self.waiting = Gauge(
            "sequencer_verification_waiting_blocks", "Sealed blocks that wait to be executed again.", registry=registry
        )
        self.seconds = Histogram(
            "sequencer_verification_seconds",
            "Time to execute one sealed block again and compare it.",
            buckets=(0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
            registry=registry,
        )
        self.differences = Counter(
            "sequencer_verification_differences",
            "Blocks that the second engine executed otherwise than they were promised; any is an alarm.",
            registry=registry,
        )
