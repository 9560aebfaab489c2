"""The mempool as the rest of the node knows it: admission in micro-batches around the pure pool.

One coroutine admits. Raw transactions that come in while a batch is being recovered form the next one, so
the batch grows with the load and is a single transaction when idle. Everything runs on the event loop
except the recovery of larger batches; the pool itself is only touched between two awaits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from mempool.config import MempoolConfig
from mempool.drops import DropRecord
from mempool.ingress import Ingress, Submission
from mempool.metrics import MempoolMetrics
from mempool.pool import Pool
from sequencer.core.calls import AccountView
from sequencer.core.errors import Reason, Rejected, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.ports import EntryRules, ReadyTransactions, SenderRecovery
from sequencer.core.transaction import ORIGIN_RPC, PooledTransaction, Transaction
from sequencer.core.types import Address, Hash32

_log = structlog.get_logger()

_STALE_ACCOUNT = frozenset({Reason.INSUFFICIENT_FUNDS, Reason.NONCE_TOO_HIGH, Reason.SENDER_NOT_EOA})
"""Refusals that a newer view of the sender's account may turn around."""


class Mempool:
    """See ``Pool`` for the rules. Every method belongs to the event loop; only ``run`` and ``submit`` wait.

    ``accounts`` answers with pre-confirmed state. ``on_pooled`` is called when a transaction enters
    (executable or not), and again with True when a queued one becomes executable; ``on_dropped`` when one
    leaves without being included. Neither may call back into the pool.
    """

    def __init__(
        self,
        config: MempoolConfig,
        recovery: SenderRecovery,
        accounts: Callable[[Sequence[Address]], Awaitable[list[AccountView]]],
        rules: Callable[[], EntryRules],
        clock_ms: Callable[[], int],
        metrics: MempoolMetrics,
    ) -> None:
        self._config = config
        self._recovery = recovery
        self._accounts = accounts
        self._rules = rules
        self._clock_ms = clock_ms
        self._metrics = metrics
        self._pool = Pool(config)
        self._ingress = Ingress(config)
        self._drops = DropRecord(config.dropped_count)
        self._refusal = ""
        self._arrived = asyncio.Event()
        self._ready = asyncio.Event()
        self.on_pooled: Callable[[PooledTransaction, bool], None] = _ignore
        self.on_dropped: Callable[[PooledTransaction, Reason], None] = _ignore

    # ---------------------------------------------------------------------------------------------- entry

    async def submit(self, raw: bytes, origin: int = ORIGIN_RPC) -> PooledTransaction:
        """Hand a raw transaction in and wait until it is in the pool.

        Raises ``Rejected``, at once when too many wait; ``Temporary`` when the state cannot be read now.
        """
        try:
            submission = self._receive(raw, origin)
        except Rejected as refusal:
            self._metrics.refused.labels(refusal.reason).inc()
            raise
        return await submission.answer

    def stop_accepting(self, why: str) -> None:
        """Refuse everything from now on; what was handed in before is still admitted."""
        self._refusal = why or "stopped"

    def accept(self) -> None:
        """Undo ``stop_accepting``."""
        self._refusal = ""

    async def run(self) -> None:
        """Admit until cancelled. What still waits then is refused."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._admit_forever())
                tasks.create_task(self._keep_house_forever())
        finally:
            for submission in self._ingress.take(len(self._ingress)):
                _refuse(submission, Rejected(Reason.NOT_ACCEPTING, "shutting down"))

    # -------------------------------------------------------------------------------------- for the builder

    def ready(self) -> ReadyTransactions:
        """What an ordering policy picks from."""
        return self._pool.ready

    def has_ready(self) -> bool:
        """A pick would find something."""
        return self._pool.ready.any()

    async def wait_ready(self) -> None:
        """Return once a pick would find something."""
        while not self._pool.ready.any():
            self._ready.clear()
            await self._ready.wait()

    def set_base_fee(self, base_fee_wei: int) -> None:
        """The open block's base fee: transactions whose fee cap is below it are not ready."""
        self._pool.ready.set_base_fee(base_fee_wei)
        self._publish()

    def stage(self, taken: Sequence[PooledTransaction]) -> None:
        """These were executed in the open block, in this order, but are not durable yet."""
        self._pool.stage(taken)
        self._publish()

    def restore(self, taken: Sequence[PooledTransaction]) -> None:
        """A rewind undid these: they are ready again, at the place of their arrival."""
        self._pool.restore(taken)
        self._publish()

    def included(self, taken: Sequence[PooledTransaction], accounts: Mapping[Address, AccountView]) -> None:
        """These are durable in the log and leave. ``accounts``: the senders' new state, and anyone else's
        whose account changed (``held_addresses`` says who matters)."""
        self._pool.included(taken, accounts)
        for pooled in taken:
            self._drops.forget(pooled.transaction.hash)
        self._publish()

    def drop(self, taken: PooledTransaction, reason: Reason) -> None:
        """Execution refused this one, staged or not; later nonces of its sender are queued. Those of them that
        are staged come back by ``restore``."""
        self._pool.drop(taken, reason)
        self._publish()

    # ---------------------------------------------------------------------------------------------- looking

    def get(self, transaction_hash: Hash32) -> PooledTransaction | None:
        """The transaction, if it is in the pool, staged ones included."""
        return self._pool.get(transaction_hash)

    def is_pending(self, transaction_hash: Hash32) -> bool:
        """It is in the pool, and executable or staged."""
        pooled = self._pool.get(transaction_hash)
        return pooled is not None and self._pool.is_pending(pooled)

    def next_nonce(self, address: Address, state_nonce: int) -> int:
        """The nonce after the sender's executable transactions, at least ``state_nonce``."""
        return self._pool.next_nonce(address, state_nonce)

    def counts(self) -> tuple[int, int]:
        """Pending (executable or staged) and queued transactions."""
        return self._pool.held_count, self._pool.queued_count

    def dropped(self, transaction_hash: Hash32) -> Reason | None:
        """Why a transaction left the pool, for the last of them."""
        return self._drops.reason(transaction_hash)

    def held_addresses(self, taken: Sequence[PooledTransaction]) -> list[Address]:
        """The senders and recipients of ``taken`` that have something in the pool: whose accounts to read
        for ``included``."""
        found: dict[Address, None] = {}
        for pooled in taken:
            transaction = pooled.transaction
            for address in (transaction.sender, transaction.to):
                if address is not None and self._pool.account(address) is not None:
                    found[address] = None
        return list(found)

    # ------------------------------------------------------------------------------------------- admission

    def _receive(self, raw: bytes, origin: int) -> Submission:
        if self._refusal:
            raise Rejected(Reason.NOT_ACCEPTING, self._refusal)
        limit_bytes = self._rules().size_limit_bytes
        if len(raw) > limit_bytes:
            raise Rejected(Reason.OVERSIZED_DATA, f"transaction size {len(raw)}, limit {limit_bytes}")
        answer = asyncio.get_running_loop().create_future()
        submission = Submission(raw, keccak256(raw), origin, self._clock_ms(), answer)
        if self._pool.get(submission.hash) is not None:
            raise Rejected(Reason.ALREADY_KNOWN)
        self._ingress.offer(submission)
        self._arrived.set()
        return submission

    async def _admit_forever(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._ingress.take(self._config.batch_count):
                try:
                    await self._admit(batch)
                finally:
                    for submission in batch:
                        _refuse(submission, Rejected(Reason.NOT_ACCEPTING, "shutting down"))

    async def _admit(self, batch: Sequence[Submission]) -> None:
        """Answer every submission of ``batch``, in order."""
        self._metrics.batch.observe(len(batch))
        candidates: list[tuple[Submission, Transaction]] = []
        for submission, result in zip(batch, await self._recover(batch), strict=True):
            if isinstance(result, Rejected):
                self._metrics.refused.labels(result.reason).inc()
                _refuse(submission, result)
            else:
                candidates.append((submission, result))
        try:
            fresh = await self._views_of_new(candidates)
            doubtful = self._add(candidates, fresh)
            if doubtful:
                self._add(doubtful, await self._refresh([transaction.sender for _, transaction in doubtful]))
        except Temporary as error:
            for submission, _ in candidates:
                _refuse(submission, Temporary(str(error)))
        self._publish()

    async def _recover(self, batch: Sequence[Submission]) -> list[Transaction | Rejected]:
        raws = [submission.raw for submission in batch]
        rules = self._rules()
        if len(raws) <= self._config.inline_count:
            return self._recovery.recover(raws, rules)
        return await asyncio.to_thread(self._recovery.recover, raws, rules)

    async def _views_of_new(self, candidates: Sequence[tuple[Submission, Transaction]]) -> dict[Address, AccountView]:
        """Accounts of the senders that the pool does not hold. Asked again as long as one of the others left
        the pool meanwhile, because its account must not be older than what made it leave."""
        views: dict[Address, AccountView] = {}
        while missing := [
            sender
            for sender in dict.fromkeys(transaction.sender for _, transaction in candidates)
            if sender not in views and self._pool.account(sender) is None
        ]:
            views.update(zip(missing, await self._accounts(missing), strict=True))
        return views

    def _add(
        self, candidates: Sequence[tuple[Submission, Transaction]], fresh: Mapping[Address, AccountView]
    ) -> list[tuple[Submission, Transaction]]:
        """Add what can be added. Returns what a view of the account that is not ``fresh`` speaks against."""
        doubtful: list[tuple[Submission, Transaction]] = []
        held_back: set[Address] = set()
        for submission, transaction in candidates:
            sender = transaction.sender
            is_fresh = sender in fresh
            if sender in held_back or not (is_fresh or self._pool.account(sender)):
                # Its earlier one waits for a newer view, or an eviction a moment ago emptied its queue.
                doubtful.append((submission, transaction))
                continue
            try:
                self._enter(submission, transaction, fresh)
            except Rejected as refusal:
                if refusal.reason in _STALE_ACCOUNT and not is_fresh:
                    held_back.add(sender)
                    doubtful.append((submission, transaction))
                else:
                    self._metrics.refused.labels(refusal.reason).inc()
                    _refuse(submission, refusal)
        return doubtful

    def _enter(self, submission: Submission, transaction: Transaction, fresh: Mapping[Address, AccountView]) -> None:
        pooled = self._pool.add(transaction, submission.received_ms, submission.origin, fresh.get(transaction.sender))
        self._drops.forget(transaction.hash)
        executable = self._pool.is_pending(pooled)
        (self._metrics.admitted_executable if executable else self._metrics.admitted_queued).inc()
        if not submission.answer.done():
            submission.answer.set_result(pooled)
        self.on_pooled(pooled, executable)

    # ----------------------------------------------------------------------------------------- housekeeping

    async def _keep_house_forever(self) -> None:
        while True:
            await asyncio.sleep(self._config.housekeeping_interval_ms / 1000)
            await self.keep_house()

    async def keep_house(self) -> None:
        """One round: drop what is expired, and look again at senders whose transactions wait for funds."""
        self._pool.expire(self._clock_ms())
        try:
            await self._refresh(self._pool.short_of_funds(self._config.refresh_count))
        except Temporary as error:
            _log.warning("accounts of the pool not refreshed", error=str(error))
        self._publish()

    async def _refresh(self, senders: Sequence[Address]) -> dict[Address, AccountView]:
        """Read the senders' accounts anew, and let the pool know those that it holds."""
        unique = list(dict.fromkeys(senders))
        if not unique:
            return {}
        views = dict(zip(unique, await self._accounts(unique), strict=True))
        for address, account in views.items():
            self._pool.observe(address, account)
        return views

    def _publish(self) -> None:
        """Tell everyone what the last calls changed."""
        changes = self._pool.take_changes()
        for pooled in changes.promoted:
            self.on_pooled(pooled, True)
        for dropped in changes.dropped:
            self._drops.add(dropped.pooled.transaction.hash, dropped.reason)
            self._metrics.dropped.labels(dropped.reason).inc()
            self.on_dropped(dropped.pooled, dropped.reason)
        self._metrics.transactions_executable.set(self._pool.held_count)
        self._metrics.transactions_queued.set(self._pool.queued_count)
        self._metrics.size.set(self._pool.size_bytes)
        self._metrics.ingress.set(len(self._ingress))
        if not self._ready.is_set() and self._pool.ready.any():
            self._ready.set()


def _refuse(submission: Submission, error: Exception) -> None:
    if not submission.answer.done():
        submission.answer.set_exception(error)


def _ignore(_pooled: PooledTransaction, _what: object) -> None:
    """Nobody listens."""
