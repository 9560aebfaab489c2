"""The pool: every transaction that waits to be included, and the rules by which they come and go.

A transaction enters *executable* (nothing is missing before it) or *queued* (a nonce or the funds are), is
*staged* once it was executed in the open block, and leaves when that is durable. Always true:

- the books balance: counts and bytes are those of the transactions held, and no limit is exceeded;
- a sender's executable transactions have consecutive nonces and the balance covers their sum;
- an executable transaction never makes room for a queued one;
- staged transactions are never replaced, evicted or expired;
- arrivals are numbered in the order in which transactions became executable, and a later number never has an
  earlier time: a transaction that had to wait arrives anew when its wait is over.

Pure: the caller brings accounts and time, and collects what changed with ``take_changes``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mempool import validation
from mempool.config import MempoolConfig
from mempool.delegation import Delegations
from mempool.drops import Dropped
from mempool.eviction import NOT_RANKED, Ranking
from mempool.ready import ReadyQueue
from mempool.sender_queue import SenderQueue
from sequencer.core.calls import AccountView
from sequencer.core.errors import NonceGap, Reason, Rejected
from sequencer.core.keccak import EMPTY_HASH
from sequencer.core.transaction import Arrival, PooledTransaction, Transaction
from sequencer.core.types import Address, Hash32


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened, in order each."""

    executable: list[PooledTransaction]
    """Came in and were executable at once."""
    queued: list[PooledTransaction]
    """Came in and have to wait."""
    promoted: list[PooledTransaction]
    """Queued ones that became executable."""
    dropped: list[Dropped]


class Pool:
    """All senders' queues and the indexes over them."""

    def __init__(self, config: MempoolConfig) -> None:
        self._config = config
        self._share = config.sender_guaranteed_count
        self._senders: dict[Address, SenderQueue] = {}
        self._by_hash: dict[Hash32, PooledTransaction] = {}
        self._held_count = 0
        self._queued_count = 0
        self._size_bytes = 0
        self._next_sequence = 0
        self._newest_ms = 0
        self._executable: list[PooledTransaction] = []
        self._queued: list[PooledTransaction] = []
        self._promoted: list[PooledTransaction] = []
        self._dropped: list[Dropped] = []
        self._delegations = Delegations()
        self._queued_holders = Ranking()
        """Senders by how many transactions of theirs are queued."""
        self._large_holders = Ranking()
        """Senders who hold more than their guaranteed share, by how much they hold."""
        self._payers = Ranking()
        """The other senders with executable transactions, by the least fee cap among them."""
        self._funds_cursor = 0
        self.ready = ReadyQueue(self._senders)

    # ------------------------------------------------------------------------------------------- looking

    @property
    def held_count(self) -> int:
        """Transactions that are executable or staged."""
        return self._held_count

    @property
    def queued_count(self) -> int:
        """Transactions that wait for a nonce or for funds."""
        return self._queued_count

    @property
    def size_bytes(self) -> int:
        """Raw bytes of all transactions."""
        return self._size_bytes

    def get(self, transaction_hash: Hash32) -> PooledTransaction | None:
        """The transaction, staged ones included."""
        return self._by_hash.get(transaction_hash)

    def contents(self) -> list[PooledTransaction]:
        """All transactions in the order in which they came in."""
        return list(self._by_hash.values())

    def is_pending(self, pooled: PooledTransaction) -> bool:
        """The transaction is executable or staged."""
        nonce = pooled.transaction.nonce
        queue = self._senders.get(pooled.transaction.sender)
        return queue is not None and (queue.executable.get(nonce) is pooled or queue.staged.get(nonce) is pooled)

    def account(self, address: Address) -> AccountView | None:
        """The account as the pool knows it; None for senders of nothing in the pool."""
        queue = self._senders.get(address)
        return queue.account if queue else None

    def strangers(self, addresses: Iterable[Address]) -> list[Address]:
        """Those of them who have nothing in the pool, each once."""
        return [address for address in dict.fromkeys(addresses) if address not in self._senders]

    def next_nonce(self, address: Address, state_nonce: int) -> int:
        """The nonce after the sender's executable transactions, at least ``state_nonce``."""
        queue = self._senders.get(address)
        return max(state_nonce, queue.end_nonce) if queue else state_nonce

    def senders(self) -> Iterable[Address]:
        """Everyone who has a transaction in the pool."""
        return self._senders.keys()

    def short_of_funds(self, count: int) -> list[Address]:
        """Up to ``count`` senders whose next transaction waits for funds; other ones with each call."""
        waiting = [q.address for q in self._queued_holders.highest_first() if q.end_nonce in q.queued]
        if len(waiting) <= count:
            return waiting
        start = self._funds_cursor % len(waiting)
        self._funds_cursor = start + count
        return (waiting + waiting)[start : start + count]

    # -------------------------------------------------------------------------------------- coming and going

    def add(
        self,
        transaction: Transaction,
        received_ms: int,
        origin: int,
        account: AccountView | None = None,
        *,
        authorities: Sequence[Address] = (),
        sequence: int | None = None,
        executable_only: bool = False,
    ) -> PooledTransaction:
        """Take a transaction in, perhaps in the place of others. Raises ``Rejected``; nothing has changed then.
        With ``executable_only`` one whose nonce is not due raises ``NonceGap``.

        ``account`` is needed for a sender that the pool does not hold, and left aside otherwise.
        ``authorities`` are the accounts whose delegation it carries (EIP-7702). ``sequence`` is given for one
        that was accepted before a restart, and keeps its number.
        """
        transaction_hash, sender, nonce = transaction.hash, transaction.sender, transaction.nonce
        cost_wei = validation.cost_wei(transaction)
        if transaction_hash in self._by_hash:
            raise Rejected(Reason.ALREADY_KNOWN)
        queue = self._senders.get(sender)
        if queue is None:
            if account is None:
                raise LookupError("the account of a new sender is needed")
            queue = SenderQueue(sender, account)
        config, size_bytes, end = self._config, len(transaction.raw), queue.end_nonce
        replaced = self._check(transaction, size_bytes, cost_wei, queue, nonce, end)
        if executable_only and nonce > end:
            raise NonceGap(end, nonce)
        if authorities:
            self._check_authorities(authorities)
        if (
            len(self._by_hash) >= config.pool_count
            or self._queued_count >= config.queued_count
            or self._size_bytes + size_bytes > config.pool_bytes
        ):
            self._make_room(transaction, queue, replaced)

        pooled = PooledTransaction(transaction, self.arrival(received_ms, origin, sequence))
        if authorities:
            self._delegations.add(transaction_hash, authorities)
        self._senders[sender] = queue
        self._by_hash[transaction_hash] = pooled
        self._size_bytes += size_bytes
        if replaced is not None:
            self._leave(queue.replace(pooled), Reason.REPLACED)
        elif queue.queued or nonce != end:
            queue.enqueue(pooled, size_bytes)
        else:
            queue.append(pooled, size_bytes, nonce, cost_wei)
        if queue.queued:
            self._promote(queue, pooled)
        (self._executable if nonce in queue.executable else self._queued).append(pooled)
        self._settle(queue)
        return pooled

    def continue_from(self, sequence: int) -> None:
        """Number arrivals from here on, if that is further: lower numbers were given before a restart."""
        self._next_sequence = max(self._next_sequence, sequence)

    def arrival(self, received_ms: int, origin: int, sequence: int | None = None) -> Arrival:
        """The next arrival, or one that had its number before."""
        if sequence is not None:
            self._next_sequence = max(self._next_sequence, sequence + 1)
            self._newest_ms = max(self._newest_ms, received_ms)
            return Arrival(sequence, received_ms, origin)
        if received_ms > self._newest_ms:
            self._newest_ms = received_ms
        number = self._next_sequence
        self._next_sequence = number + 1
        return Arrival(number, self._newest_ms, origin)

    def stage(self, taken: Sequence[PooledTransaction]) -> None:
        """These were executed in the open block, in this order. Others' are left alone."""
        for pooled in taken:
            transaction = pooled.transaction
            queue = self._senders.get(transaction.sender)
            if queue is None or queue.executable.get(transaction.nonce) is not pooled:
                continue
            for passed in queue.stage(pooled):
                self._leave(passed, Reason.NONCE_TOO_LOW)
            self._settle(queue)

    def restore(self, taken: Sequence[PooledTransaction]) -> None:
        """Undo ``stage``: a rewind took these out of the open block again."""
        touched: dict[SenderQueue, None] = {}
        for pooled in sorted(taken, key=_nonce, reverse=True):
            queue = self._senders.get(pooled.transaction.sender)
            if queue is None or queue.staged.get(pooled.transaction.nonce) is not pooled:
                continue
            queue.restore(pooled)
            touched[queue] = None
        for queue in touched:
            queue.demote_overdraft()
            self._promote(queue, keeps_place=True)
            self._settle(queue)

    def included(self, taken: Sequence[PooledTransaction], accounts: Mapping[Address, AccountView]) -> None:
        """These are durable in the log. ``accounts`` are newer views, of their senders and of anyone else."""
        for pooled in taken:
            transaction = pooled.transaction
            sender = transaction.sender
            queue = self._senders.get(sender)
            if queue is not None:
                # One that was placed as part of a bundle may be in the pool too, under its own arrival.
                self._include(self._by_hash.get(transaction.hash, pooled), queue, accounts.get(sender))
        for address, account in accounts.items():
            self.observe(address, account)

    def observe(self, address: Address, account: AccountView) -> None:
        """A view of an account that may be newer than the pool's."""
        queue = self._senders.get(address)
        if queue is None:
            return
        if queue.observe(account):
            if not queue.executable:
                for passed in queue.pass_nonces(account.nonce):
                    self._leave(passed, Reason.NONCE_TOO_LOW)
            if queue.executable:
                queue.demote_overdraft()
        if queue.queued:
            self._promote(queue)
        self._settle(queue)

    def drop(self, pooled: PooledTransaction, reason: Reason) -> None:
        """Execution refused this one, staged or not. Those after it are queued, unless its nonce turned out
        to be used already; then it does not hold them up."""
        nonce = pooled.transaction.nonce
        queue = self._senders.get(pooled.transaction.sender)
        if queue is None or not queue.holds(pooled):
            return
        staged = queue.staged.get(nonce) is pooled
        if reason is not Reason.NONCE_TOO_LOW or staged or nonce >= queue.end_nonce:
            self._remove(queue, pooled, reason)
            if staged and reason is not Reason.NONCE_TOO_LOW:
                queue.go_back(nonce)
        else:
            for passed in queue.pass_nonces(nonce + 1):
                self._leave(passed, reason)
        self._promote(queue)
        self._settle(queue)

    def expire(self, now_ms: int) -> None:
        """Drop what has been queued for too long."""
        self._newest_ms = max(self._newest_ms, now_ms)
        oldest_ms = now_ms - self._config.queued_lifetime_ms
        for queue in list(self._queued_holders.highest_first()):
            expired = [pooled for pooled in queue.queued.values() if pooled.arrival.received_ms < oldest_ms]
            for pooled in expired:
                self._remove(queue, pooled, Reason.EXPIRED)
            if expired:
                self._settle(queue)

    def take_changes(self) -> Changes:
        """What happened since the last call."""
        changes = Changes(self._executable, self._queued, self._promoted, self._dropped)
        self._executable, self._queued, self._promoted, self._dropped = [], [], [], []
        return changes

    # ---------------------------------------------------------------------------------------------- rules

    def _check(
        self, transaction: Transaction, size_bytes: int, cost_wei: int, queue: SenderQueue, nonce: int, end: int
    ) -> PooledTransaction | None:
        """Everything that depends on the sender, whose ``end_nonce`` is ``end``. Returns the transaction that this one
        would replace."""
        if nonce < queue.next_nonce:
            validation.check_nonce(transaction, queue.next_nonce)
        if nonce > end + self._config.nonce_gap:
            raise Rejected(Reason.NONCE_TOO_HIGH, f"tx nonce {nonce}, gapped nonce {end}")
        replaced = queue.waiting(nonce) if nonce != end or queue.queued else None
        account = queue.account
        replaced_wei = validation.cost_wei(replaced.transaction) if replaced and nonce < end else None
        if replaced_wei is not None or queue.committed_wei + cost_wei > account.balance_wei:
            validation.check_funds(transaction, account.balance_wei, queue.committed_wei, replaced_wei)
        if account.code_hash != EMPTY_HASH:
            validation.check_code(account)
        if replaced is not None:
            validation.check_replacement(transaction, replaced.transaction, self._config.replacement_bump_percent)
        else:
            self._check_sender_limits(size_bytes, queue, gapped=nonce != end)
        return replaced

    def _check_sender_limits(self, size_bytes: int, queue: SenderQueue, *, gapped: bool) -> None:
        config = self._config
        held, queued = queue.held_count, len(queue.queued)
        if queue.account.delegated or self._delegations.pending(queue.address):
            if gapped:
                raise Rejected(Reason.DELEGATED_GAPPED)
            if held + queued >= config.delegated_count:
                raise Rejected(Reason.DELEGATED_LIMIT)
        if queued >= config.sender_queued_count if gapped else held >= config.sender_executable_count:
            raise Rejected(Reason.ACCOUNT_LIMIT, f"pooled {queued if gapped else held} txs")
        if queue.size_bytes + size_bytes > config.sender_bytes:
            raise Rejected(Reason.ACCOUNT_LIMIT, f"pooled {queue.size_bytes} bytes")

    def _check_authorities(self, authorities: Sequence[Address]) -> None:
        """Whoever is about to run another's code may not have more here than who does already."""
        for authority in authorities:
            queue = self._senders.get(authority)
            pooled = queue.held_count + len(queue.queued) if queue else 0
            if pooled > self._config.delegated_count:
                raise Rejected(Reason.DELEGATED_LIMIT, f"authority 0x{authority.hex()} has {pooled} pooled txs")

    def _make_room(self, transaction: Transaction, queue: SenderQueue, replaced: PooledTransaction | None) -> None:
        """Evict as little as the limits ask for, or raise ``Rejected`` without evicting anything."""
        config, nonce, end = self._config, transaction.nonce, queue.end_nonce
        executable = nonce < end or (nonce == end and replaced is None)
        excess_bytes = self._size_bytes + len(transaction.raw) - config.pool_bytes
        if replaced is not None:
            excess_count, excess_bytes = 0, excess_bytes - len(replaced.transaction.raw)
        else:
            excess_count = len(self._by_hash) + 1 - config.pool_count
            if not executable:
                excess_count = max(excess_count, self._queued_count + 1 - config.queued_count)
        if excess_count <= 0 and excess_bytes <= 0:
            return
        victims = self._queued_then_executable(transaction, queue) if executable else self._queued_of_larger(queue)
        chosen: list[PooledTransaction] = []
        while excess_count > 0 or excess_bytes > 0:
            victim = next(victims, None)
            if victim is None:
                raise Rejected(Reason.POOL_FULL)
            if victim is not replaced:
                chosen.append(victim)
                excess_count -= 1
                excess_bytes -= len(victim.transaction.raw)
        for victim in chosen:
            owner = self._senders[victim.transaction.sender]
            self._remove(owner, victim, Reason.EVICTED)
            self._settle(owner)

    def _queued_of_larger(self, queue: SenderQueue) -> Iterator[PooledTransaction]:
        """Queued transactions of a sender who has more of them than the one who asks."""
        largest = self._queued_holders.highest()
        if largest is not None:
            surplus = len(largest.queued) - len(queue.queued) - 1
            yield from _last_first(largest.queued, max(surplus, 0))

    def _queued_then_executable(self, transaction: Transaction, queue: SenderQueue) -> Iterator[PooledTransaction]:
        """What an executable transaction may push out: any queued one; for a sender within the guaranteed
        share also the last ones of who holds most beyond it, or else of who pays least."""
        for holder in self._queued_holders.highest_first():
            yield from _last_first(holder.queued, len(holder.queued))
        share = self._config.sender_guaranteed_count
        if queue.held_count >= share:
            return
        largest = self._large_holders.highest()
        if largest is not None:
            yield from _last_executable(largest, largest.held_count - share)
            return
        cheapest = self._payers.lowest()
        if cheapest is None or cheapest[0] >= transaction.max_fee_per_gas:
            raise Rejected(Reason.UNDERPRICED)
        payer = cheapest[1]
        if payer is not queue:
            yield from _last_executable(payer, len(payer.executable))

    # ---------------------------------------------------------------------------------------------- books

    def _include(self, pooled: PooledTransaction, queue: SenderQueue, viewed: AccountView | None) -> None:
        """Take out what is durable now. The rest is up to ``observe``, if the sender's account was looked at since."""
        nonce, account = pooled.transaction.nonce, queue.account
        if queue.staged.get(nonce) is pooled:
            queue.unstage(nonce)
            self._forget(pooled)
        else:
            for passed in queue.pass_nonces(nonce + 1):
                if passed is pooled:
                    self._forget(passed)
                else:
                    self._leave(passed, Reason.NONCE_TOO_LOW)
        if viewed is not None and viewed.nonce > nonce:
            return
        if account.nonce <= nonce:
            balance_wei = max(0, account.balance_wei - validation.cost_wei(pooled.transaction))
            queue.observe(AccountView(nonce + 1, balance_wei, account.code_hash, account.delegated))
        self._promote(queue)
        self._settle(queue)

    def _promote(
        self, queue: SenderQueue, entering: PooledTransaction | None = None, *, keeps_place: bool = False
    ) -> None:
        """Make executable what can be. Only what enters, or goes back where it was, keeps its arrival."""
        while (waiting := queue.next_queued(self._config.sender_executable_count)) is not None:
            if waiting is entering:
                queue.promote(waiting)
                continue
            pooled = waiting
            if not keeps_place:
                pooled = PooledTransaction(waiting.transaction, self.arrival(0, waiting.arrival.origin))
                self._by_hash[pooled.transaction.hash] = pooled
            queue.promote(pooled)
            self._promoted.append(pooled)

    def _remove(self, queue: SenderQueue, pooled: PooledTransaction, reason: Reason) -> None:
        queue.remove(pooled)
        self._leave(pooled, reason)

    def _leave(self, pooled: PooledTransaction, reason: Reason) -> None:
        self._forget(pooled)
        self._dropped.append(Dropped(pooled, reason))

    def _forget(self, pooled: PooledTransaction) -> None:
        transaction_hash = pooled.transaction.hash
        del self._by_hash[transaction_hash]
        self._delegations.remove(transaction_hash)
        self._size_bytes -= len(pooled.transaction.raw)

    def _settle(self, queue: SenderQueue) -> None:
        """Bring counts and indexes up to date after a change of ``queue``, and forget it when it is empty."""
        if len(queue.queued) != queue.counted_queued:
            self._settle_queued(queue)
        executable = queue.executable
        held, counted, share = len(queue.staged) + len(executable), queue.counted_held, self._share
        if held != counted:
            if held > share or counted > share:
                self._large_holders.move(queue, _above(counted, share), _above(held, share))
            self._held_count += held - counted
            queue.counted_held = held
        fee_cap_wei = queue.least_fee_cap_wei() if executable and held <= share else NOT_RANKED
        if fee_cap_wei != queue.ranked_fee_wei:
            self._payers.move(queue, queue.ranked_fee_wei, fee_cap_wei)
            queue.ranked_fee_wei = fee_cap_wei
        self.ready.update(queue)
        if not held and not queue.queued:
            del self._senders[queue.address]

    def _settle_queued(self, queue: SenderQueue) -> None:
        """The part of ``_settle`` about transactions that wait: no more of them than the limits allow."""
        config, counted = self._config, queue.counted_queued
        if len(queue.queued) > counted:
            surplus = max(
                len(queue.queued) - config.sender_queued_count,
                self._queued_count - counted + len(queue.queued) - config.queued_count,
            )
            for pooled in list(_last_first(queue.queued, max(surplus, 0))):
                self._remove(queue, pooled, Reason.ACCOUNT_LIMIT)
        queued = len(queue.queued)
        self._queued_holders.move(queue, _above(counted, 0), _above(queued, 0))
        self._queued_count += queued - counted
        queue.counted_queued = queued


def _above(count: int, floor: int) -> int:
    """A sender's number in a ranking of those who have more than ``floor``."""
    return count if count > floor else NOT_RANKED


def _nonce(pooled: PooledTransaction) -> int:
    return pooled.transaction.nonce


def _last_first(queue: Mapping[int, PooledTransaction], count: int) -> Iterator[PooledTransaction]:
    """Up to ``count`` transactions from the highest nonce down."""
    for nonce in sorted(queue, reverse=True)[:count]:
        yield queue[nonce]


def _last_executable(queue: SenderQueue, count: int) -> Iterator[PooledTransaction]:
    """Up to ``count`` executable transactions from the highest nonce down."""
    for nonce in range(queue.end_nonce - 1, max(queue.next_nonce, queue.end_nonce - count) - 1, -1):
        yield queue.executable[nonce]
