"""The executable transactions as an ordering policy sees them: each sender's next one, in arrival order.

Senders come and go with every flashblock, so the order is kept in a heap that is never searched: an entry
whose transaction is no longer its sender's next one is stale and skipped, and cleared once it reaches the
top. Reading in order without taking anything out walks the heap with a second, small heap of positions.

A sender whose next transaction offers less than the base fee is *parked* in a heap of its own by fee cap,
found again when the base fee falls. ``SenderQueue.listed`` and ``.parked`` hold the arrival sequence under
which the sender stands in either heap, -1 for not at all; it is never in both.
"""

import heapq
from collections.abc import Iterator, Mapping

from mempool.sender_queue import SenderQueue
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Address

_NONE = -1
_SLACK = 256
"""Stale entries that are not worth clearing."""


class ReadyQueue:
    """``core.ports.ReadyTransactions`` over the pool's senders. An iterator is void after the pool changed."""

    def __init__(self, senders: Mapping[Address, SenderQueue]) -> None:
        self._senders = senders
        self._base_fee_wei = 0
        self._listed: list[tuple[int, int, SenderQueue]] = []
        """(arrival sequence, fee cap, sender)"""
        self._parked: list[tuple[int, int, SenderQueue]] = []
        """(-fee cap, arrival sequence, sender)"""

    @property
    def base_fee_wei(self) -> int:
        """What every transaction shown here pays at least, per gas."""
        return self._base_fee_wei

    def heads(self) -> Iterator[PooledTransaction]:
        """Each sender's next transaction that pays the base fee, earliest arrival first."""
        if not self.any():
            return
        heap, base_fee_wei, size = self._listed, self._base_fee_wei, len(self._listed)
        frontier = [(heap[0][0], 0)]
        push, pop = heapq.heappush, heapq.heappop
        before = _NONE
        while frontier:
            sequence, at = pop(frontier)
            child = 2 * at + 1
            if child < size:
                push(frontier, (heap[child][0], child))
                if child + 1 < size:
                    push(frontier, (heap[child + 1][0], child + 1))
            _, fee_cap_wei, queue = heap[at]
            if queue.listed != sequence or sequence == before:
                continue
            if fee_cap_wei < base_fee_wei:
                self._park(sequence, fee_cap_wei, queue)
                continue
            before = sequence
            yield queue.executable[queue.next_nonce]

    def after(self, taken: PooledTransaction) -> PooledTransaction | None:
        """The same sender's next transaction, if it pays the base fee."""
        transaction = taken.transaction
        queue = self._senders.get(transaction.sender)
        follower = queue.executable.get(transaction.nonce + 1) if queue else None
        if follower is None or follower.transaction.max_fee_per_gas < self._base_fee_wei:
            return None
        return follower

    def any(self) -> bool:
        """There is at least one transaction to pick."""
        heap = self._listed
        while heap:
            sequence, fee_cap_wei, queue = heap[0]
            if queue.listed == sequence:
                if fee_cap_wei >= self._base_fee_wei:
                    return True
                self._park(sequence, fee_cap_wei, queue)
            heapq.heappop(heap)
        return False

    def update(self, queue: SenderQueue) -> None:
        """The sender's next transaction may have changed."""
        head = queue.head()
        if head is None:
            queue.listed = queue.parked = _NONE
            return
        sequence = head.arrival.sequence
        if sequence in (queue.listed, queue.parked):
            return
        fee_cap_wei = head.transaction.max_fee_per_gas
        if fee_cap_wei < self._base_fee_wei:
            self._park(sequence, fee_cap_wei, queue)
        else:
            self._list(sequence, fee_cap_wei, queue)

    def set_base_fee(self, base_fee_wei: int) -> None:
        """Show only what pays ``base_fee_wei`` per gas. Senders that no longer do are parked as they are met."""
        self._base_fee_wei = base_fee_wei
        while self._parked and -self._parked[0][0] >= base_fee_wei:
            fee_cap_wei, sequence, queue = heapq.heappop(self._parked)
            if queue.parked == sequence:
                self._list(sequence, -fee_cap_wei, queue)

    def _list(self, sequence: int, fee_cap_wei: int, queue: SenderQueue) -> None:
        queue.listed, queue.parked = sequence, _NONE
        if len(self._listed) > 2 * len(self._senders) + _SLACK:
            self._listed = list({s: (s, fee, q) for s, fee, q in self._listed if q.listed == s}.values())
            heapq.heapify(self._listed)
        heapq.heappush(self._listed, (sequence, fee_cap_wei, queue))

    def _park(self, sequence: int, fee_cap_wei: int, queue: SenderQueue) -> None:
        queue.listed, queue.parked = _NONE, sequence
        if len(self._parked) > 2 * len(self._senders) + _SLACK:
            self._parked = list({s: (fee, s, q) for fee, s, q in self._parked if q.parked == s}.values())
            heapq.heapify(self._parked)
        heapq.heappush(self._parked, (-fee_cap_wei, sequence, queue))
