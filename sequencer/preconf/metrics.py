"""Metrics of promising."""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sequencer.core.views import PromiseLedger
from sequencer.preconf.latency import LatencyHistogram

_LATENCY = (0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 5)


class PreconfMetrics:
    """Declared once a chain."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.flashblocks = Counter("sequencer_flashblocks_signed", "Flashblocks signed.", registry=registry)
        self.promises = Counter(
            "sequencer_preconfirmations_issued", "Transactions whose place was promised.", registry=registry
        )
        self.latency = LatencyHistogram(
            "sequencer_preconfirmation_latency_seconds",
            "From a transaction's arrival to its signed pre-confirmation.",
            _LATENCY,
            registry,
        )
        self.append_seconds = Histogram(
            "sequencer_log_append_seconds",
            "Time until appended entries are durable and their flashblocks signed.",
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1),
            registry=registry,
        )
        self.stalled = Gauge(
            "sequencer_log_stalled", "1 while the log cannot take entries (no space left), else 0.", registry=registry
        )
        self._ledger = Gauge(
            "sequencer_promises",
            "Transactions whose place was promised over the chain's whole life, and what became of them.",
            ["state"],
            registry=registry,
        )
        self.guard_refusals = Counter(
            "sequencer_guard_refusals",
            "Signatures that the guard refused; any is an alarm.",
            registry=registry,
        )
        self.guard_seconds = Histogram(
            "sequencer_guard_record_seconds",
            "Time until the guard's file holds a signed flashblock durably, after the log does.",
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1),
            registry=registry,
        )
        self.signing_seconds = Counter(
            "sequencer_signing_cpu_seconds", "Processor time spent on signing flashblocks.", registry=registry
        )

    def follow(self, ledger: Callable[[], PromiseLedger]) -> None:
        """Show ``ledger`` as it stands whenever the metrics are read."""
        for state in ("issued", "kept", "broken", "slashed"):
            self._ledger.labels(state).set_function(partial(_count, ledger, state))


def _count(ledger: Callable[[], PromiseLedger], state: str) -> int:
    count: int = getattr(ledger(), state)
    return count
