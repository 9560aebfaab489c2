"""What the DA part counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from da.codec import SignedBatch
from da.cost import COIN, LayerAccount
from da.submission import State, Submission
from sequencer.core.errors import Rejected, Unknown


class DaMetrics:
    """Metrics of posting, on the registry given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._batches = Counter("sequencer_da_batches", "Batches put into the outbox.", registry=registry)
        self._blocks = Counter("sequencer_da_blocks", "Blocks put into the outbox.", registry=registry)
        self._body_bytes = Counter(
            "sequencer_da_body_bytes", "Bytes of batch bodies before compression.", registry=registry
        )
        self._batch_bytes = Counter(
            "sequencer_da_batch_bytes", "Bytes of encoded batches, compressed.", registry=registry
        )
        self._moves = Counter(
            "sequencer_da_transitions",
            "Outbox rows that changed state.",
            ["before", "after"],
            registry=registry,
        )
        self._failures = Counter(
            "sequencer_da_failures",
            "Steps that the layer did not answer, by what is known about them.",
            ["kind"],
            registry=registry,
        )
        self._sent_blobs = Counter("sequencer_da_sent_blobs", "Blobs handed to the layer.", registry=registry)
        self._sent_bytes = Counter("sequencer_da_sent_bytes", "Bytes handed to the layer.", registry=registry)
        self._outbox = Gauge("sequencer_da_outbox_batches", "Batches that are not final.", registry=registry)
        self._outbox_bytes = Gauge("sequencer_da_outbox_bytes", "Bytes of batches not final.", registry=registry)
        self._safe = Gauge("sequencer_da_safe_block", "Last block that was read back from DA.", registry=registry)
        self._finalized = Gauge("sequencer_da_finalized_block", "Last block that is final on DA.", registry=registry)
        self._delay = Histogram(
            "sequencer_da_inclusion_seconds",
            "From closing a batch to reading it back.",
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
            registry=registry,
        )
        self._declare_prices(registry)

    def _declare_prices(self, registry: CollectorRegistry) -> None:
        self._paid = Counter(
            "sequencer_da_fees",
            "Paid for posting, in whole coins of 10^18 wei or 10^6 utia.",
            ["unit"],
            registry=registry,
        )
        self._paid_transactions = Counter(
            "sequencer_da_paid_transactions", "Transactions in the batches that were paid for.", registry=registry
        )
        self._paid_bytes = Counter(
            "sequencer_da_paid_bytes", "Encoded bytes of the batches that were paid for.", registry=registry
        )
        self._transaction_bytes = Histogram(
            "sequencer_da_transaction_bytes",
            "Encoded bytes per transaction, one observation a batch.",
            buckets=(20, 40, 60, 80, 100, 120, 150, 200, 300, 500, 1000, 10_000, 100_000),
            registry=registry,
        )
        self._compression = Gauge(
            "sequencer_da_compression_ratio",
            "Encoded bytes of the last batch by the bytes of its raw transactions.",
            registry=registry,
        )
        self._fee_per_transaction = Gauge(
            "sequencer_da_fee_per_transaction",
            "A transaction's average share of the last batch's fee, in whole coins.",
            ["unit"],
            registry=registry,
        )
        self._fee_per_byte = Gauge(
            "sequencer_da_fee_per_byte",
            "Fee of the last batch by its encoded bytes, in whole coins.",
            ["unit"],
            registry=registry,
        )
        self._balance = Gauge(
            "sequencer_da_balance",
            "What a paying account holds, in whole coins.",
            ["unit", "account"],
            registry=registry,
        )

    def enqueued(self, batch: SignedBatch) -> None:
        """A batch entered the outbox."""
        self._batches.inc()
        self._blocks.inc(batch.header.last_block - batch.header.first_block + 1)
        self._body_bytes.inc(len(batch.body))
        self._batch_bytes.inc(len(batch.encoded))

    def transition(self, before: State, after: State) -> None:
        """A row changed its state."""
        self._moves.labels(before.name.lower(), after.name.lower()).inc()

    def failed(self, error: Exception) -> None:
        """A step failed."""
        kind = "rejected" if isinstance(error, Rejected) else "unknown" if isinstance(error, Unknown) else "temporary"
        self._failures.labels(kind).inc()

    def sent(self, blobs: int, size_bytes: int) -> None:
        """Blobs are handed to the layer."""
        self._sent_blobs.inc(blobs)
        self._sent_bytes.inc(size_bytes)

    def included(self, seconds: float) -> None:
        """A batch was read back this long after it was closed."""
        self._delay.observe(max(0.0, seconds))

    def paid(self, row: Submission) -> None:
        """The fee of a batch is known: with bytes and transactions it gives the price of each."""
        if row.fee:
            self._paid.labels(row.fee_unit).inc(row.fee / COIN.get(row.fee_unit, 1))
            self._paid_transactions.inc(row.transactions)
            self._paid_bytes.inc(row.size_bytes)

    def shared(self, row: Submission) -> None:
        """A batch was read back: what a transaction of it took on average."""
        if row.transactions:
            self._transaction_bytes.observe(row.size_bytes / row.transactions)
            self._compression.set(row.size_bytes / max(row.transaction_bytes, 1))
        if row.transactions and row.fee:
            coin = COIN.get(row.fee_unit, 1)
            self._fee_per_transaction.labels(row.fee_unit).set(row.fee / row.transactions / coin)
            self._fee_per_byte.labels(row.fee_unit).set(row.fee / row.size_bytes / coin)

    def balance(self, account: LayerAccount) -> None:
        """What a paying account holds now."""
        coins = account.balance / COIN.get(account.unit, 1)
        self._balance.labels(account.unit, account.address).set(coins)

    def outbox(self, count: int, size_bytes: int, safe_block: int, finalized_block: int) -> None:
        """The state after a step."""
        self._outbox.set(count)
        self._outbox_bytes.set(size_bytes)
        self._safe.set(safe_block)
        self._finalized.set(finalized_block)
