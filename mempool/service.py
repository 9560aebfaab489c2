"""The mempool as the rest of the node knows it: admission in micro-batches around the pure pool.

One coroutine admits. Raw transactions that come in while a batch is being recovered form the next one, and under load
it gathers them for some milliseconds, so the batch grows with the load and is a single transaction when idle.
Everything runs on the event loop except the recovery of larger batches and the journal; the pool itself is only touched
between two awaits.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final, TypeAlias

import structlog

from mempool.bundles import ORIGIN_BUNDLE, Bundle, BundlePool, BundleTerms
from mempool.config import MempoolConfig
from mempool.delegation import authorities
from mempool.drops import DropRecord
from mempool.ingress import Answer, Answers, Ingress, Submission
from mempool.journal import Journal
from mempool.journaling import JournalWriter
from mempool.metrics import MempoolMetrics
from mempool.pool import Pool
from mempool.refusals import Refusals
from sequencer.core.calls import AccountView
from sequencer.core.errors import Defect, Reason, Rejected, SequencerError, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.ports import EntryRules, ReadyTransactions, SenderRecovery
from sequencer.core.transaction import ORIGIN_RPC, Arrival, PooledTransaction, Transaction
from sequencer.core.types import Address, Hash32

_log = structlog.get_logger()

_STALE_ACCOUNT = frozenset({Reason.INSUFFICIENT_FUNDS, Reason.NONCE_TOO_HIGH, Reason.SENDER_NOT_EOA})
"""Refusals that a newer view of the sender's account may turn around."""
_SET_CODE_TYPE = 4
_SET_CODE_PREFIX = bytes((_SET_CODE_TYPE,))
_RECORD_BYTES = 25
"""What the journal takes for a transaction beside its raw bytes."""

_SEVERAL: Final = 8
_GATHER_S: Final = 0.005
"""After a batch of several, the next one begins so long after it began at the soonest. Eight signatures are recovered
in little more than the time of one, and without this a processor that is half busy spends the rest on small batches."""
_GATHERED: Final = 64
"""So many are not kept waiting for more."""

_Recovered: TypeAlias = tuple[Transaction, Sequence[Address]]
"""A transaction and the accounts that it would delegate."""
_Candidate: TypeAlias = tuple[Submission, Transaction, Sequence[Address], Address]
"""The same with where it came from, and its sender."""


class Mempool:
    """See ``Pool`` for the rules. Every method belongs to the event loop; only ``run`` and ``submit`` wait.

    ``accounts`` answers with pre-confirmed state, and so does ``account_now``, where one can be read at once.
    ``on_pooled`` is called when transactions enter (executable or not), and again with True when queued ones become
    executable; ``on_dropped`` when one leaves without being included. Neither may call back into the pool.
    """

    def __init__(
        self,
        config: MempoolConfig,
        recovery: SenderRecovery,
        accounts: Callable[[Sequence[Address]], Awaitable[list[AccountView]]],
        rules: Callable[[], EntryRules],
        clock_ms: Callable[[], int],
        metrics: MempoolMetrics,
        journal: Journal | None = None,
        journal_thread: Executor | None = None,
        account_now: Callable[[Address], AccountView] | None = None,
    ) -> None:
        self._config = config
        self._recovery = recovery
        self._accounts = accounts
        self._account_now = account_now
        self._rules = rules
        self._clock_ms = clock_ms
        self._metrics = metrics
        self.pool = Pool(config)
        """The rules. Whoever looks at it changes nothing."""
        self.bundles = BundlePool(config)
        self._refusals = Refusals(config.refused_count)
        self._included: OrderedDict[Hash32, Arrival] = OrderedDict()
        self._journal = (
            JournalWriter(
                journal,
                self.pool.contents,
                self._waits,
                self._journal_bytes,
                config.journal_size_bytes,
                metrics,
                journal_thread,
            )
            if journal
            else None
        )
        self._ingress = Ingress(config)
        self._drops = DropRecord(config.dropped_count)
        self._refusal = ""
        self._arrived = asyncio.Event()
        self._ready = asyncio.Event()
        self._unwritten: list[tuple[PooledTransaction, Submission]] = []
        """What entered since the last ``_publish`` and is not in the journal yet."""
        self._at_rest = False
        """``run`` admits, and nothing is in admission that ``submit_now`` would overtake."""
        self._unhurried: list[tuple[PooledTransaction, Submission]] = []
        """Of that what is answered before the journal has it."""
        metrics.follow(self.pool, self._ingress, self.bundles)
        self.on_pooled: Callable[[Sequence[PooledTransaction], bool], None] = _ignore
        self.on_dropped: Callable[[PooledTransaction, Reason], None] = _ignore

    # ---------------------------------------------------------------------------------------------- entry

    async def submit(
        self, raw: bytes, origin: int = ORIGIN_RPC, *, executable_only: bool = False, until_promised: bool = False
    ) -> PooledTransaction:
        """Hand a raw transaction in and wait until it is in the pool, and unless ``until_promised``, which says that
        the caller tells nobody before it is promised or ``flush_journal`` returns, in the journal.

        Raises ``Rejected``, at once when too many wait; ``NonceGap`` for one that would have to wait for an earlier
        nonce, if ``executable_only``; ``Temporary`` when the state cannot be read now.
        """
        (answer,) = await self.submit_all(
            [raw], [keccak256(raw)], origin, executable_only=executable_only, until_promised=until_promised
        )
        if isinstance(answer, SequencerError):
            raise answer
        return answer

    def submit_now(self, raw: bytes, raw_hash: Hash32) -> bool:
        """Let a raw transaction, whose keccak256 is ``raw_hash``, in before this returns, as ``submit`` does for one
        that is ``executable_only`` and waits ``until_promised``. False if anything stands in its way, if only that
        others came before it: then nothing has changed, and ``submit`` finds out what it is."""
        if self._account_now is None or not self._at_rest or self._ingress or raw.startswith(_SET_CODE_PREFIX):
            return False
        submission = Submission(raw, raw_hash, ORIGIN_RPC, self._clock_ms(), None, 0, None, True, True)
        rules = self._rules()
        try:
            self._check_unread(raw, raw_hash, rules)
            (result,) = self._recovery.recover([raw], rules)
            if isinstance(result, Rejected):
                return False
            view = self._account_now(result.sender) if self.pool.account(result.sender) is None else None
            self._enter(submission, result, view, ())
        except (Rejected, Temporary):
            return False
        self._metrics.batch.observe(1)
        self._publish()
        return True

    async def submit_all(
        self,
        raws: Sequence[bytes],
        hashes: Sequence[Hash32],
        origin: int = ORIGIN_RPC,
        *,
        executable_only: bool = False,
        until_promised: bool = False,
    ) -> list[Answer]:
        """Hand raw transactions in, whose keccak256 are ``hashes``, and wait until each is in the pool or refused.
        One answer for each, in order: errors are those of ``submit``, returned."""
        if not raws:
            return []
        answers = Answers(len(raws), asyncio.get_running_loop().create_future())
        received_ms, rules = self._clock_ms(), self._rules()
        known = False
        for place, (raw, raw_hash) in enumerate(zip(raws, hashes, strict=True)):
            try:
                self._check_unread(raw, raw_hash, rules)
                self._ingress.offer(
                    Submission(
                        raw, raw_hash, origin, received_ms, answers, place, None, executable_only, until_promised
                    )
                )
            except Rejected as refusal:
                self._metrics.refused.labels(refusal.reason).inc()
                answers.give(place, refusal)
                known = known or refusal.reason is Reason.ALREADY_KNOWN
        if self._ingress:
            self._arrived.set()
        if known and not until_promised:  # senders take it for an acceptance
            await self.flush_journal()
        return await answers.complete

    async def submit_bundle(self, raws: Sequence[bytes], terms: BundleTerms) -> Hash32:
        """Hand in transactions that are placed together or not at all. Returns the bundle's hash; raises
        ``Rejected`` if one of them could never enter, or there are too many bundles.

        Nonces and balances are found out by trying: they depend on what the bundle itself does. Bundles are
        not in the journal: who sends one decides from block to block what it should be.
        """
        rules = self._rules()
        if self._refusal:
            raise Rejected(Reason.NOT_ACCEPTING, self._refusal)
        if len(raws) > self._config.bundle_transactions:
            raise Rejected(Reason.MALFORMED, f"a bundle has 1 to {self._config.bundle_transactions} transactions")
        received_ms = self._clock_ms()
        transactions: list[Transaction] = []
        for result in await asyncio.to_thread(self._recovery.recover, raws, rules):
            if isinstance(result, Rejected):
                raise result
            transactions.append(result)
        if sum(transaction.gas_limit for transaction in transactions) > rules.gas_limit:
            raise Rejected(Reason.GAS_LIMIT)
        name = self.bundles.check(transactions, terms)
        arrival = self.pool.arrival(received_ms, ORIGIN_BUNDLE)
        members = tuple(PooledTransaction(transaction, arrival) for transaction in transactions)
        self.bundles.add(Bundle(name, members, terms))
        self._ready.set()
        return name

    async def flush_journal(self) -> None:
        """Return once everything that entered the pool before is in the journal, whoever waits for its promise."""
        if self._journal is not None:
            await self._journal.flush()

    async def persist_journal(self) -> None:
        """Return once everything that is in the pool survives a loss of power: what is signed about it may leave then.
        Raises ``Temporary``."""
        if self._journal is not None:
            await self._journal.persist()

    def stop_accepting(self, why: str) -> None:
        """Refuse everything from now on; what was handed in before is still admitted."""
        self._refusal = why or "stopped"

    def accept(self) -> None:
        """Undo ``stop_accepting``."""
        self._refusal = ""

    async def run(self) -> None:
        """Take in what the journal holds, then admit until cancelled. What still waits then is refused."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if self._journal is not None:
                    await self._load(self._journal)
                    tasks.create_task(self._journal.run())
                tasks.create_task(self._admit_forever())
                tasks.create_task(self._keep_house_forever())
        finally:
            self._at_rest = False
            for submission in self._ingress.take(len(self._ingress)):
                submission.answer(Rejected(Reason.NOT_ACCEPTING, "shutting down"))
            if self._journal is not None:
                await self._journal.close()

    async def _load(self, journal: JournalWriter) -> None:
        """Admit what was accepted before a restart, each with its old arrival, by the rules of today."""
        recovered = await journal.open()
        self.pool.continue_from(recovered.next_sequence)
        count = self._config.batch_count
        for at in range(0, len(recovered.records), count):
            await self._admit(
                [
                    Submission(
                        r.raw,
                        keccak256(r.raw),
                        r.arrival.origin,
                        r.arrival.received_ms,
                        None,
                        sequence=r.arrival.sequence,
                    )
                    for r in recovered.records[at : at + count]
                ]
            )
        if recovered.records:
            held, queued = self.counts()
            _log.info("mempool journal loaded", records=len(recovered.records), pending=held, queued=queued)

    # -------------------------------------------------------------------------------------- for the builder

    def ready(self) -> ReadyTransactions:
        """What an ordering policy picks from."""
        return self.pool.ready

    def has_ready(self) -> bool:
        """A pick would find something."""
        return self.pool.ready.any()

    async def wait_ready(self) -> None:
        """Return once a pick would find something, or a bundle may be tried."""
        while not self.pool.ready.any() and self.bundles.next() is None:
            self._ready.clear()
            await self._ready.wait()

    def set_base_fee(self, base_fee_wei: int) -> None:
        """The open block's base fee: transactions whose fee cap is below it are not ready."""
        self.pool.ready.set_base_fee(base_fee_wei)
        self._publish()

    def stage(self, taken: Sequence[PooledTransaction]) -> None:
        """These were executed in the open block, in this order, but are not durable yet."""
        self.pool.stage(taken)
        self._publish()

    def restore(self, taken: Sequence[PooledTransaction]) -> None:
        """A rewind undid these: they are ready again, at the place of their arrival."""
        self.pool.restore(taken)
        self._publish()

    def included(self, taken: Sequence[PooledTransaction], accounts: Mapping[Address, AccountView]) -> None:
        """These are durable in the log and leave. ``accounts``: the senders' new state, and anyone else's
        whose account changed (``held_addresses`` says who matters)."""
        self.pool.included(taken, accounts)
        for transaction, arrival in taken:
            self._drops.forget(transaction.hash)
            self._included[transaction.hash] = arrival
        while len(self._included) > self._config.receipt_count:
            self._included.popitem(last=False)
        self._publish()

    def drop(self, taken: PooledTransaction, reason: Reason) -> None:
        """Execution refused this one, staged or not; later nonces of its sender are queued. Those of them that
        are staged come back by ``restore``."""
        self.pool.drop(taken, reason)
        self._publish()

    # ---------------------------------------------------------------------------------------------- looking

    def get(self, transaction_hash: Hash32) -> PooledTransaction | None:
        """The transaction, if it is in the pool, staged ones included."""
        return self.pool.get(transaction_hash)

    def is_pending(self, transaction_hash: Hash32) -> bool:
        """It is in the pool, and executable or staged."""
        pooled = self.pool.get(transaction_hash)
        return pooled is not None and self.pool.is_pending(pooled)

    def next_nonce(self, address: Address, state_nonce: int) -> int:
        """The nonce after the sender's executable transactions, at least ``state_nonce``."""
        return self.pool.next_nonce(address, state_nonce)

    def counts(self) -> tuple[int, int]:
        """Pending (executable or staged) and queued transactions."""
        return self.pool.held_count, self.pool.queued_count

    def dropped(self, transaction_hash: Hash32) -> Reason | None:
        """Why a transaction left the pool, or never came in, for the last of them."""
        return self._drops.reason(transaction_hash) or self._refusals.reason(transaction_hash)

    def arrival(self, transaction_hash: Hash32) -> Arrival | None:
        """The arrival of a transaction that is executable or was included lately: what a receipt can say. One
        that waits for a nonce or for funds has none yet, because it arrives anew when its wait is over."""
        pooled = self.pool.get(transaction_hash)
        if pooled is not None:
            return pooled.arrival if self.pool.is_pending(pooled) else None
        return self._included.get(transaction_hash)

    def held_addresses(self, taken: Sequence[PooledTransaction]) -> list[Address]:
        """The senders and recipients of ``taken`` that have something in the pool: whose accounts to read
        for ``included``."""
        found: dict[Address, None] = {}
        for pooled in taken:
            transaction = pooled.transaction
            for address in (transaction.sender, transaction.to):
                if address is not None and self.pool.account(address) is not None:
                    found[address] = None
        return list(found)

    # ------------------------------------------------------------------------------------------- admission

    def _check_unread(self, raw: bytes, raw_hash: Hash32, rules: EntryRules) -> None:
        """Raises ``Rejected`` for what needs no look into the bytes."""
        if self._refusal:
            raise Rejected(Reason.NOT_ACCEPTING, self._refusal)
        if len(raw) > rules.size_limit_bytes:
            raise Rejected(Reason.OVERSIZED_DATA, f"transaction size {len(raw)}, limit {rules.size_limit_bytes}")
        if self.pool.get(raw_hash) is not None:
            raise Rejected(Reason.ALREADY_KNOWN)
        self._refusals.check(raw_hash, rules)

    async def _admit_forever(self) -> None:
        began_s, count = 0.0, 0
        while True:
            self._at_rest = True
            await self._arrived.wait()
            self._at_rest = False
            if count >= _SEVERAL and len(self._ingress) < _GATHERED:
                await asyncio.sleep(began_s + _GATHER_S - asyncio.get_running_loop().time())
            self._arrived.clear()
            began_s, count = asyncio.get_running_loop().time(), len(self._ingress)
            while batch := self._ingress.take(self._config.batch_count):
                try:
                    await self._admit(batch)
                except asyncio.CancelledError:
                    for submission in batch:
                        submission.answer(Rejected(Reason.NOT_ACCEPTING, "shutting down"))
                    raise

    async def _admit(self, batch: Sequence[Submission]) -> None:
        """Answer every submission of ``batch``, in order."""
        self._metrics.batch.observe(len(batch))
        rules = self._rules()
        candidates: list[_Candidate] = []
        try:
            recovered = await self._recover(batch, rules)
        except Defect as error:
            _refuse(batch, error)
            return
        for submission, result in zip(batch, recovered, strict=True):
            if isinstance(result, Rejected):
                self._refusals.add(submission.hash, result, rules)
                self._metrics.refused.labels(result.reason).inc()
                submission.answer(result)
            else:
                transaction, delegated = result
                candidates.append((submission, transaction, delegated, transaction.sender))
        try:
            fresh = await self._views_of_new(candidates)
            doubtful = self._add(candidates, fresh)
            if doubtful:
                self._publish()
                self._add(doubtful, await self._refresh([sender for *_, sender in doubtful]))
        except (Temporary, Defect) as error:
            _refuse([submission for submission, *_ in candidates], error)
        self._publish()

    async def _recover(self, batch: Sequence[Submission], rules: EntryRules) -> list[_Recovered | Rejected]:
        raws = [submission.raw for submission in batch]
        if len(raws) <= self._recovery.inline_count and not any(raw.startswith(_SET_CODE_PREFIX) for raw in raws):
            return _recover(self._recovery, raws, rules)
        return await asyncio.to_thread(_recover, self._recovery, raws, rules)

    async def _views_of_new(self, candidates: Sequence[_Candidate]) -> dict[Address, AccountView]:
        """Accounts of the senders that the pool does not hold. Asked again as long as one of the others left
        the pool meanwhile, because its account must not be older than what made it leave."""
        views: dict[Address, AccountView] = {}
        senders = [candidate[3] for candidate in candidates]
        while missing := [sender for sender in self.pool.strangers(senders) if sender not in views]:
            views.update(zip(missing, await self._accounts(missing), strict=True))
        return views

    def _add(self, candidates: Sequence[_Candidate], fresh: Mapping[Address, AccountView]) -> list[_Candidate]:
        """Add what can be added. Returns what a view of the account that is not ``fresh`` speaks against."""
        doubtful: list[_Candidate] = []
        held_back: set[Address] = set()
        for candidate in candidates:
            submission, transaction, delegated, sender = candidate
            view = fresh.get(sender)
            if sender in held_back or (view is None and self.pool.account(sender) is None):
                # Its earlier one waits for a newer view, or an eviction a moment ago emptied its queue.
                doubtful.append(candidate)
                continue
            try:
                self._enter(submission, transaction, view, delegated)
            except Rejected as refusal:
                if refusal.reason in _STALE_ACCOUNT and view is None:
                    held_back.add(sender)
                    doubtful.append(candidate)
                else:
                    self._metrics.refused.labels(refusal.reason).inc()
                    submission.answer(refusal)
        return doubtful

    def _enter(
        self, submission: Submission, transaction: Transaction, view: AccountView | None, delegated: Sequence[Address]
    ) -> None:
        pooled = self.pool.add(
            transaction,
            submission.received_ms,
            submission.origin,
            view,
            executable_only=submission.executable_only,
            authorities=delegated,
            sequence=submission.sequence,
        )
        self._drops.forget(submission.hash)
        if self._journal is not None and submission.sequence is None:
            (self._unhurried if submission.until_promised else self._unwritten).append((pooled, submission))
        else:
            submission.answer(pooled)

    def _waits(self, pooled: PooledTransaction) -> bool:
        """It is not in the sequence log, nor dropped."""
        return self.pool.get(pooled.transaction.hash) is not None

    def _journal_bytes(self) -> int:
        """What a journal of the pool's contents would take."""
        return self.pool.size_bytes + _RECORD_BYTES * sum(self.counts())

    # ----------------------------------------------------------------------------------------- housekeeping

    async def _keep_house_forever(self) -> None:
        while True:
            await asyncio.sleep(self._config.housekeeping_interval_ms / 1000)
            await self.keep_house()

    async def keep_house(self) -> None:
        """One round: drop what is expired, and look again at senders whose transactions wait for funds."""
        self.pool.expire(self._clock_ms())
        try:
            await self._refresh(self.pool.short_of_funds(self._config.refresh_count))
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
            self.pool.observe(address, account)
        return views

    def _publish(self) -> None:
        """Tell everyone what the last calls changed."""
        changes = self.pool.take_changes()
        if changes.queued:
            self._metrics.admitted_queued.inc(len(changes.queued))
            self.on_pooled(changes.queued, False)
        if changes.executable or changes.promoted:
            self._metrics.admitted_executable.inc(len(changes.executable))
            self.on_pooled(changes.executable + changes.promoted, True)
            if changes.promoted and self._journal is not None:
                self._journal.add_unhurried(changes.promoted)  # most of them with another arrival
        for dropped in changes.dropped:
            self._drops.add(dropped.pooled.transaction.hash, dropped.reason)
            self._metrics.dropped.labels(dropped.reason).inc()
            self.on_dropped(dropped.pooled, dropped.reason)
        if not self._ready.is_set() and self.pool.ready.any():
            self._ready.set()
        if self._unwritten and self._journal is not None:
            unwritten, self._unwritten = self._unwritten, []
            self._journal.add(unwritten)  # after the builder is woken, which has the longer way to go
        if self._unhurried and self._journal is not None:
            unhurried, self._unhurried = self._unhurried, []
            self._journal.add_unhurried([pooled for pooled, _ in unhurried])
            for pooled, submission in unhurried:
                submission.answer(pooled)


def _recover(recovery: SenderRecovery, raws: Sequence[bytes], rules: EntryRules) -> list[_Recovered | Rejected]:
    """One answer for each of ``raws``: the transaction with the accounts it would delegate, or a refusal."""
    return [
        result
        if isinstance(result, Rejected)
        else (result, authorities(result, rules.chain_id) if result.type == _SET_CODE_TYPE else ())
        for result in recovery.recover(raws, rules)
    ]


def _refuse(submissions: Sequence[Submission], error: Temporary | Defect) -> None:
    """Answer each with an error of its own, for each raises its own."""
    for submission in submissions:
        submission.answer(type(error)(str(error)))


def _ignore(_pooled: object, _what: object) -> None:
    """Nobody listens."""
