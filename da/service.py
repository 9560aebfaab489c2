"""Posting as a running service: takes signed batches, sees them through, and says what is safe and final.

``enqueue`` returns once the batch is in the outbox, with its exact bytes; only then may anything be sent.
``run`` belongs to the composition root's task group and may be cancelled at any point.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from da.codec import SignedBatch
from da.config import SubmitterConfig
from da.cost import PaidLayer
from da.inclusion import DaHeads
from da.metrics import DaMetrics
from da.outbox import Outbox
from da.submission import State, Submission
from da.submitter import Submitter
from sequencer.core.errors import Rejected, Temporary
from sequencer.core.ports import DataAvailability, Storage
from sequencer.core.views import PostedBatch

_log = structlog.get_logger()

ACCOUNTS_POLL_S = 60.0
"""How often the balances of paying accounts are looked at."""


class DaListener(Protocol):
    """Who is told. Called on the event loop, in order; must not block."""

    def on_batch(self, batch: PostedBatch) -> None:
        """A batch changed its state: prepared, submitted, included, final, or prepared again."""
        ...

    def on_heads(self, heads: DaHeads) -> None:
        """Safe or finalized moved. Safe may also move back, when the layer reorgs."""
        ...


@dataclass(frozen=True, slots=True)
class Backlog:
    """Batches in the outbox that are not yet read back from the layer."""

    batches: int
    size_bytes: int
    oldest_prepared_ms: int | None


class DaService:
    """One chain's posting to one layer."""

    def __init__(
        self,
        storage: Storage,
        layer: DataAvailability,
        listener: DaListener,
        metrics: DaMetrics,
        *,
        config: SubmitterConfig,
        clock_ms: Callable[[], int],
        rng: random.Random,
    ) -> None:
        self._layer = layer
        self._listener = listener
        self._metrics = metrics
        self._config = config
        self._clock_ms = clock_ms
        self._outbox = Outbox(storage)
        self._submitter = Submitter(self._outbox, layer, config, clock_ms, rng, metrics)
        self._heads = DaHeads(None, None)
        self._entering = asyncio.Lock()
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()

    async def load(self) -> None:
        """Take up the outbox as the last process left it, and tell the listener the heads. Call before ``run``."""
        await self._submitter.load()
        self._tell_heads()

    async def enqueue(self, batch: SignedBatch, *, recovered: bool = False) -> None:
        """Write the batch to the outbox. Idempotent by header. A ``recovered`` batch, made again from the log,
        is looked for on the layer before it is sent, because power loss may have taken its first row. Raises
        ``Temporary`` when the outbox is full or the disk is, ``Fatal`` if it is not the batch after the newest."""
        async with self._entering:
            known = await asyncio.to_thread(self._outbox.row, batch.header.sequence)
            if known is not None and known.header_hash == batch.header.struct_hash:
                return
            if not self.has_room:
                raise Temporary("the DA outbox is full")
            encoded = await asyncio.to_thread(getattr, batch, "encoded")
            limit = self._layer.limits().blob_size_bytes
            row = Submission.prepare(batch, len(encoded), limit, self._clock_ms())
            if recovered:
                row = row.perhaps_sent(self._submitter.next_from_height)
            self._submitter.check_follows(row)
            await asyncio.to_thread(self._outbox.insert, row, encoded)
            self._submitter.track(row)
        self._metrics.enqueued(batch)
        self._listener.on_batch(row.view(self._layer.layer))
        self._wake.set()

    async def run(self) -> None:
        """See every batch through, and watch the purses, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._post_all(), name="da posting")
            if isinstance(self._layer, PaidLayer):
                tasks.create_task(self._watch_accounts(self._layer), name="da accounts")

    async def _watch_accounts(self, layer: PaidLayer) -> None:
        """Say what the paying accounts hold, and warn while one is nearly empty."""
        while True:
            try:
                accounts = await layer.accounts()
            except (Temporary, Rejected) as error:
                _log.warning("da_accounts_unknown", error=str(error))
                accounts = []
            for account in accounts:
                self._metrics.balance(account)
                if account.balance < account.minimum:
                    _log.error("da_account_low", account=account.address, balance=account.balance, unit=account.unit)
            await asyncio.sleep(ACCOUNTS_POLL_S)

    async def _post_all(self) -> None:
        while True:
            self._wake.clear()
            wait_ms = await self.advance()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                    await self._wake.wait()

    async def advance(self) -> int | None:
        """Do every step that is due. Returns in how many milliseconds the next one will be; None: none will."""
        while (wait_ms := self._submitter.due_in_ms()) == 0:
            changed = await self._submitter.step()
            if changed is not None:
                await self._tell(changed)
        return wait_ms

    async def drain(self, timeout_s: float) -> bool:
        """Wait while ``run`` goes on until everything enqueued is safe, at most ``timeout_s``. True if it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self.backlog.batches == 0)
        return self.backlog.batches == 0

    def batch(self, sequence: int) -> PostedBatch | None:
        """A batch and where it stands. One short read."""
        row = self._outbox.row(sequence)
        return row.view(self._layer.layer) if row else None

    def batch_of(self, block_number: int) -> PostedBatch | None:
        """The batch that carries a block, by bisection over the outbox; None while no batch is closed over it."""
        latest = self.latest
        if latest is None or not 1 <= block_number <= latest.last_block:
            return None
        low, high = 1, latest.sequence
        while low < high:
            middle = (low + high) // 2
            row = self._outbox.row(middle)
            if row is None or row.last_block.number < block_number:
                low = middle + 1
            else:
                high = middle
        return self.batch(low)

    @property
    def latest(self) -> PostedBatch | None:
        """The newest batch in the outbox, final or not."""
        row = self._submitter.rows[-1] if self._submitter.rows else self._submitter.last_final
        return row.view(self._layer.layer) if row else None

    @property
    def has_room(self) -> bool:
        """Another batch may be enqueued. Ask before a batch is closed: what the log decided must be posted."""
        rows = self._submitter.rows
        size = sum(row.size_bytes for row in rows)
        return len(rows) < self._config.max_outbox_count and size < self._config.max_outbox_bytes

    @property
    def backlog(self) -> Backlog:
        """What back-pressure looks at."""
        rows = [row for row in self._submitter.rows if row.state < State.INCLUDED]
        return Backlog(len(rows), sum(row.size_bytes for row in rows), rows[0].prepared_ms if rows else None)

    @property
    def in_flight(self) -> int:
        """Batches that are not yet read back from the layer."""
        return self.backlog.batches

    @property
    def heads(self) -> DaHeads:
        """What is safe and final by DA."""
        return self._heads

    async def _tell(self, row: Submission) -> None:
        if row.state is State.INCLUDED:
            self._metrics.included((self._clock_ms() - row.prepared_ms) / 1000)
            self._metrics.paid(row)
            self._metrics.shared(row)
        self._listener.on_batch(row.view(self._layer.layer))
        self._tell_heads()
        async with self._moved:
            self._moved.notify_all()

    def _tell_heads(self) -> None:
        heads = self._submitter.heads
        rows = self._submitter.rows
        self._metrics.outbox(
            len(rows),
            sum(row.size_bytes for row in rows),
            heads.safe.number if heads.safe else 0,
            heads.finalized.number if heads.finalized else 0,
        )
        if heads != self._heads:
            self._heads = heads
            self._listener.on_heads(heads)
