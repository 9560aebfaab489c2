"""Metrics of block building."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class PayloadMetrics:
    """Declared once a chain."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.blocks = Counter("sequencer_blocks_sealed", "Blocks sealed, empty ones too.", registry=registry)
        self.transactions = Counter(
            "sequencer_transactions_executed", "Transactions executed into a block.", registry=registry
        )
        self.refused = Counter(
            "sequencer_transactions_refused_at_execution",
            "Pooled transactions that the engine refused, by reason.",
            ["reason"],
            registry=registry,
        )
        self.bundles = Counter(
            "sequencer_bundles", "Bundles that were tried, by result.", ["result"], registry=registry
        )
        self.bundles_placed = self.bundles.labels("placed")
        self.bundles_failed = self.bundles.labels("failed")
        self.gas_used = Counter("sequencer_gas_used", "Gas used by executed transactions.", registry=registry)
        self.apply_seconds = Histogram(
            "sequencer_apply_seconds",
            "Time to execute one chunk of transactions.",
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10),
            registry=registry,
        )
        self.seal_gap_seconds = Histogram(
            "sequencer_seal_gap_seconds",
            "From the last transaction of a block to the next block being open.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1),
            registry=registry,
        )
        self.open_block = Gauge("sequencer_open_block_number", "Number of the open block.", registry=registry)
