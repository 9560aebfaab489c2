"""One sender's transactions: what is staged, what can be executed next, and what has to wait.

::

    nonce      5   6 | 7   8   9 |        11  12
             staged  | executable|        queued
                       ^next_nonce ^end_nonce

Always true: ``executable`` holds exactly the nonces ``next_nonce .. end_nonce - 1``; what the account's
balance must still cover, ``committed_wei``, is the cost of every staged or executable transaction whose
nonce the newest view of the account has not passed; a nonce stands in at most one of the three.
"""

from mempool.validation import cost_wei
from sequencer.core.calls import AccountView
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Address


class SenderQueue:
    """The queues of one sender. The last fields belong to the pool's indexes."""

    __slots__ = (
        "account",
        "address",
        "committed_wei",
        "counted_held",
        "counted_queued",
        "executable",
        "listed",
        "next_nonce",
        "parked",
        "queued",
        "ranked_fee_wei",
        "size_bytes",
        "staged",
    )

    def __init__(self, address: Address, account: AccountView) -> None:
        self.address = address
        self.account = account
        self.next_nonce = account.nonce
        self.staged: dict[int, PooledTransaction] = {}
        self.executable: dict[int, PooledTransaction] = {}
        self.queued: dict[int, PooledTransaction] = {}
        self.committed_wei = 0
        self.size_bytes = 0
        self.listed = -1
        self.parked = -1
        self.counted_held = 0
        self.counted_queued = 0
        self.ranked_fee_wei = -1

    @property
    def end_nonce(self) -> int:
        """The first nonce after the executable ones."""
        return self.next_nonce + len(self.executable)

    @property
    def held_count(self) -> int:
        """Transactions that are executable or staged."""
        return len(self.staged) + len(self.executable)

    def head(self) -> PooledTransaction | None:
        """The transaction that may be executed next."""
        return self.executable.get(self.next_nonce)

    def waiting(self, nonce: int) -> PooledTransaction | None:
        """The transaction with this nonce that is not staged yet."""
        return self.executable.get(nonce) or self.queued.get(nonce)

    def holds(self, pooled: PooledTransaction) -> bool:
        """The transaction itself is here, not just its nonce."""
        nonce = pooled.transaction.nonce
        return self.waiting(nonce) is pooled or self.staged.get(nonce) is pooled

    def enqueue(self, pooled: PooledTransaction, size_bytes: int) -> None:
        """Add a transaction of this size whose nonce is free; ``promote`` decides whether it can be executed."""
        self.queued[pooled.transaction.nonce] = pooled
        self.size_bytes += size_bytes

    def append(self, pooled: PooledTransaction, size_bytes: int, nonce: int, cost_wei: int) -> None:
        """Add a transaction of this size, nonce and cost that can be executed after those that can be already: its
        nonce is ``end_nonce``, and it is paid for."""
        self.executable[nonce] = pooled
        self.size_bytes += size_bytes
        if nonce >= self.account.nonce:
            self.committed_wei += cost_wei

    def replace(self, pooled: PooledTransaction) -> PooledTransaction:
        """Put ``pooled`` in the place of the waiting transaction with its nonce, which is returned."""
        nonce = pooled.transaction.nonce
        queue = self.executable if nonce in self.executable else self.queued
        replaced = queue[nonce]
        queue[nonce] = pooled
        if queue is self.executable:
            self.committed_wei += self._commitment(pooled) - self._commitment(replaced)
        self.size_bytes += len(pooled.transaction.raw) - len(replaced.transaction.raw)
        return replaced

    def next_queued(self, limit: int) -> PooledTransaction | None:
        """What can be made executable: it follows without a gap, is paid for, and keeps at most ``limit`` held."""
        if not self.queued or self.held_count >= limit:
            return None
        pooled = self.queued.get(self.end_nonce)
        if pooled is None or self.committed_wei + self._commitment(pooled) > self.account.balance_wei:
            return None
        return pooled

    def promote(self, pooled: PooledTransaction) -> None:
        """Make ``next_queued`` executable, as ``pooled``, which may have another arrival than before."""
        nonce = pooled.transaction.nonce
        del self.queued[nonce]
        self.executable[nonce] = pooled
        self.committed_wei += self._commitment(pooled)

    def least_fee_cap_wei(self) -> int:
        """What the executable transactions offer per gas, the least of them."""
        if len(self.executable) == 1:
            return self.executable[self.next_nonce].transaction.max_fee_per_gas
        return min([pooled.transaction.max_fee_per_gas for pooled in self.executable.values()])

    def demote_overdraft(self) -> None:
        """Queue the last executable transactions until the balance covers the rest."""
        while self.executable and self.committed_wei > self.account.balance_wei:
            self._demote_last()

    def unstage(self, nonce: int) -> None:
        """Take a staged transaction out for good."""
        pooled = self.staged.pop(nonce)
        self.committed_wei -= self._commitment(pooled)
        self.size_bytes -= len(pooled.transaction.raw)

    def remove(self, pooled: PooledTransaction) -> None:
        """Take a transaction out for good; executable ones after it lose their turn and are queued."""
        nonce = pooled.transaction.nonce
        if self.queued.get(nonce) is pooled:
            del self.queued[nonce]
        elif self.staged.get(nonce) is pooled:
            self.unstage(nonce)
            return
        else:
            while self.end_nonce > nonce + 1:
                self._demote_last()
            del self.executable[nonce]
            self.committed_wei -= self._commitment(pooled)
        self.size_bytes -= len(pooled.transaction.raw)

    def stage(self, pooled: PooledTransaction) -> list[PooledTransaction]:
        """The executable ``pooled`` was executed. Returns transactions of lower nonces that were not: the
        account's nonce moved past them without us, so they can never be executed."""
        nonce = pooled.transaction.nonce
        passed = self.pass_nonces(nonce) if nonce > self.next_nonce else []
        self.staged[nonce] = self.executable.pop(nonce)
        self.next_nonce = nonce + 1
        return passed

    def pass_nonces(self, nonce: int) -> list[PooledTransaction]:
        """Go on at ``nonce``, if that is further, and take out every waiting transaction below it."""
        if nonce <= self.next_nonce:
            return []
        passed = [self.executable.pop(n) for n in range(self.next_nonce, min(nonce, self.end_nonce))]
        self.committed_wei -= sum(map(self._commitment, passed))
        self.next_nonce = nonce
        if self.queued:
            passed += [self.queued.pop(n) for n in sorted(self.queued) if n < nonce]
        self.size_bytes -= sum(len(pooled.transaction.raw) for pooled in passed)
        return passed

    def restore(self, pooled: PooledTransaction) -> None:
        """Undo ``stage``: the transaction has its turn again, and what no longer follows is queued.

        Call it for higher nonces first. One that stands behind a transaction dropped from the block is
        queued itself.
        """
        nonce = pooled.transaction.nonce
        del self.staged[nonce]
        if nonce >= self.next_nonce:
            self.committed_wei -= self._commitment(pooled)
            self.queued[nonce] = pooled
            return
        if nonce + 1 != self.next_nonce:
            self.go_back(nonce)
        self.executable[nonce] = pooled
        self.next_nonce = nonce

    def go_back(self, nonce: int) -> None:
        """The sender's next transaction must have this nonce: executable ones beyond it are queued."""
        if nonce < self.next_nonce:
            while self.executable:
                self._demote_last()
            self.next_nonce = nonce

    def observe(self, account: AccountView) -> bool:
        """Take over a newer view of the account; False for one older than what is known already.

        A view may run ahead of the queue, because transactions are executed before they are staged; so the
        nonce only moves the queue on when nothing here is on its way.
        """
        known, nonce = self.account.nonce, account.nonce
        if nonce < known:
            return False
        if nonce > known:
            for queue in (self.staged, self.executable):
                if queue:
                    passed = _within(queue, known, nonce)
                    self.committed_wei -= sum([cost_wei(queue[nonce].transaction) for nonce in passed])
        self.account = account
        return True

    def _demote_last(self) -> None:
        nonce = self.end_nonce - 1
        pooled = self.executable.pop(nonce)
        self.committed_wei -= self._commitment(pooled)
        self.queued[nonce] = pooled

    def _commitment(self, pooled: PooledTransaction) -> int:
        transaction = pooled.transaction
        return cost_wei(transaction) if transaction.nonce >= self.account.nonce else 0


def _within(queue: dict[int, PooledTransaction], start: int, stop: int) -> list[int]:
    """The nonces of ``queue`` in ``[start, stop)``, by whichever way is shorter."""
    if stop - start <= len(queue):
        return [nonce for nonce in range(start, stop) if nonce in queue]
    return [nonce for nonce in queue if start <= nonce < stop]
