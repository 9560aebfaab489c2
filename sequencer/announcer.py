"""Who hears of a transaction's fate, and in which order: those who wait for it, then everyone, then the pool.

::

    on its way into the log --> logging        whoever waits may prepare the answer
    durable and signed      --> preconfirmed   answers, event, records, pool
    taken into the pool     --> pooled         event or status
    left it unordered       --> dropped        status, and the reason to whoever waits
"""

import asyncio
from collections.abc import Callable, Sequence

from mempool.service import Mempool
from sequencer.channel import Broadcast
from sequencer.core.errors import Reason, Rejected
from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.transaction import PooledTransaction
from sequencer.core.views import ChainEvent, Preconfirmed, Status, TransactionsPooled
from sequencer.live import LiveBlocks
from sequencer.ordering_desk import OrderingDesk
from sequencer.pending_accounts import PendingAccounts
from sequencer.preconf.waiters import Waiters
from sequencer.status import StatusBook

ANSWERED_FIRST = 16
"""A flashblock of so few transactions lets the answers go out before its housekeeping is done."""


class Announcer:
    """One chain's. ``stay_awake`` is called whenever the pool took something."""

    def __init__(
        self,
        *,
        live: LiveBlocks,
        waiters: Waiters[Preconfirmed],
        events: Broadcast[ChainEvent],
        statuses: StatusBook,
        ordering: OrderingDesk,
        pool: Mempool,
        accounts: PendingAccounts,
        stay_awake: Callable[[], None],
    ) -> None:
        self._live = live
        self._waiters = waiters
        self._events = events
        self._statuses = statuses
        self._ordering = ordering
        self._pool = pool
        self._accounts = accounts
        self._stay_awake = stay_awake

    def logging(self, closed: ClosedFlashblock) -> None:
        """The log's disk is at work on a flashblock: whoever waits for a promise in it may prepare the answer."""
        if len(self._waiters) and len(closed.taken) <= ANSWERED_FIRST:
            for index, (transaction, _) in enumerate(closed.taken):
                if transaction.hash in self._waiters and (expected := self._live.expected(closed, index)):
                    self._waiters.expect(transaction.hash, expected)

    async def preconfirmed(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> None:
        """A flashblock is durable and signed."""
        published = self._live.preconfirmed(signed, closed)
        answered = len(self._waiters) and self._answer(signed, closed)
        self._events.publish(published)
        if answered and len(closed.taken) <= ANSWERED_FIRST:
            await asyncio.sleep(0)
        self._ordering.decided(closed.entry)
        self._statuses.preconfirmed(signed.flashblock)
        held = self._pool.held_addresses(closed.taken)
        accounts = dict(zip(held, await self._accounts.of(held), strict=True)) if held else {}
        self._pool.included(closed.taken, accounts)

    def _answer(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> int:
        """How many of its transactions somebody waited for."""
        answered = 0
        for transaction, _ in closed.taken:
            if transaction.hash not in self._waiters:
                continue
            answered += 1
            if self._waiters.confirm(transaction.hash, signed):
                continue
            inclusion, promise = self._live.inclusion(transaction.hash), self._live.preconfirmation(transaction.hash)
            if inclusion is not None and promise is not None:
                self._waiters.resolve(transaction.hash, Preconfirmed(inclusion, promise))
        return answered

    def pooled(self, entered: Sequence[PooledTransaction], executable: bool) -> None:
        """The pool took them."""
        self._stay_awake()
        if executable:
            self._events.publish(TransactionsPooled(tuple([pooled.transaction for pooled in entered])))
            return
        for pooled in entered:
            self._statuses.transactions.reached(pooled.transaction.hash, Status.QUEUED, pooled.arrival.received_ms)

    def dropped(self, pooled: PooledTransaction, reason: Reason) -> None:
        """It left the pool without a place in a block."""
        times = self._statuses.transactions
        if not times.of(pooled.transaction.hash):  # it never had to wait
            times.reached(pooled.transaction.hash, Status.RECEIVED, pooled.arrival.received_ms)
        self._waiters.fail(pooled.transaction.hash, Rejected(reason))
