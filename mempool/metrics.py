"""What the mempool tells Prometheus."""

from collections.abc import Sized

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mempool.pool import Pool


class MempoolMetrics:
    """Counters and gauges of one pool, in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.admitted = Counter(
            "sequencer_mempool_admitted_total", "Transactions taken into the pool", ["queue"], registry=registry
        )
        self.admitted_executable = self.admitted.labels("executable")
        self.admitted_queued = self.admitted.labels("queued")
        self.refused = Counter(
            "sequencer_mempool_refused_total", "Transactions refused at entry", ["reason"], registry=registry
        )
        self.dropped = Counter(
            "sequencer_mempool_dropped_total",
            "Transactions that left the pool without being included",
            ["reason"],
            registry=registry,
        )
        self.transactions = Gauge(
            "sequencer_mempool_transactions", "Transactions in the pool", ["queue"], registry=registry
        )
        self.size = Gauge(
            "sequencer_mempool_size_bytes", "Raw bytes of all transactions in the pool", registry=registry
        )
        self.ingress = Gauge(
            "sequencer_mempool_ingress_transactions", "Raw transactions that wait for admission", registry=registry
        )
        self.journal_errors = Counter(
            "sequencer_mempool_journal_errors_total", "Writes to the journal that failed", registry=registry
        )
        self.bundles = Gauge("sequencer_mempool_bundles", "Bundles that wait", registry=registry)
        self.batch = Histogram(
            "sequencer_mempool_batch_transactions",
            "Raw transactions admitted together",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            registry=registry,
        )

    def follow(self, pool: Pool, ingress: Sized, bundles: Sized) -> None:
        """Show how much they hold whenever the metrics are read."""
        self.transactions.labels("executable").set_function(lambda: pool.held_count)
        self.transactions.labels("queued").set_function(lambda: pool.queued_count)
        self.size.set_function(lambda: pool.size_bytes)
        self.ingress.set_function(lambda: len(ingress))
        self.bundles.set_function(lambda: len(bundles))
