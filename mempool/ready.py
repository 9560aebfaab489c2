"""The executable transactions as an ordering policy sees them: each sender's next one, in arrival order.

Senders come and go with every flashblock, so the order is a list that is put right only when somebody looks:
changes are noted in ``_late`` and merged then, which for a list that is mostly in order costs next to
nothing. An entry whose transaction is no longer its sender's next one is stale and skipped.

A sender whose next transaction offers less than the base fee is *parked* in a heap of its own by fee cap,
found again when the base fee falls. ``SenderQueue.listed`` and ``.parked`` hold the arrival sequence under
which the sender stands in either, -1 for not at all; it is never in both.
"""

import heapq
from bisect import insort
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Final, TypeAlias

from mempool.sender_queue import SenderQueue
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Address

_NONE: Final = -1
_SLACK: Final = 256
"""Stale entries that are not worth clearing."""
_FEW: Final = 16
"""Up to this many changes are inserted one by one; more are sorted in."""

_Entry: TypeAlias = tuple[int, int, SenderQueue]
"""(arrival sequence, fee cap, sender); in the heap of the parked (-fee cap, arrival sequence, sender)."""
_sequence = itemgetter(0)


class ReadyQueue:
    """``core.ports.ReadyTransactions`` over the pool's senders. An iterator is void after the pool changed."""

    def __init__(self, senders: Mapping[Address, SenderQueue]) -> None:
        self._senders = senders
        self._base_fee_wei = 0
        self._ordered: list[_Entry] = []
        self._first = 0
        """Where the entries of ``_ordered`` begin that may not be stale."""
        self._late: list[_Entry] = []
        self._parked: list[_Entry] = []

    @property
    def base_fee_wei(self) -> int:
        """What every transaction shown here pays at least, per gas."""
        return self._base_fee_wei

    def heads(self) -> Iterator[PooledTransaction]:
        """Each sender's next transaction that pays the base fee, earliest arrival first."""
        if not self.any():
            return
        ordered, base_fee_wei = self._ordered, self._base_fee_wei
        before = _NONE
        for at in range(self._first, len(ordered)):
            sequence, fee_cap_wei, queue = ordered[at]
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
        if queue is None or len(queue.executable) < 2:  # at most itself
            return None
        follower = queue.executable.get(transaction.nonce + 1)
        if follower is None or follower.transaction.max_fee_per_gas < self._base_fee_wei:
            return None
        return follower

    def any(self) -> bool:
        """There is at least one transaction to pick."""
        if self._late:
            self._merge()
        ordered, at = self._ordered, self._first
        found = False
        while not found and at < len(ordered):
            sequence, fee_cap_wei, queue = ordered[at]
            if queue.listed != sequence:
                at += 1
            elif fee_cap_wei < self._base_fee_wei:
                self._park(sequence, fee_cap_wei, queue)
            else:
                found = True
        self._first = at
        if at > _SLACK and at > len(ordered) // 4:
            del ordered[:at]
            self._first = 0
        return found

    def update(self, queue: SenderQueue) -> None:
        """The sender's next transaction may have changed."""
        head = queue.executable.get(queue.next_nonce)
        if head is None:
            queue.listed = queue.parked = _NONE
            return
        sequence = head.arrival.sequence
        if sequence == queue.listed or sequence == queue.parked:
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
        entry = (sequence, fee_cap_wei, queue)
        if not self._late and (not self._ordered or self._ordered[-1][0] <= sequence):
            self._ordered.append(entry)
        else:
            self._late.append(entry)
        if len(self._ordered) + len(self._late) > 2 * len(self._senders) + 2 * _SLACK:
            self._merge()

    def _merge(self) -> None:
        """Bring ``_late`` into the order, and clear stale entries when there are many."""
        ordered, late = self._ordered, self._late
        if len(late) <= _FEW:
            for entry in late:
                insort(ordered, entry, self._first, key=_sequence)
        else:
            ordered += late
            ordered.sort(key=_sequence)
            self._first = 0
        late.clear()
        if len(ordered) > 2 * len(self._senders) + _SLACK:
            ordered[:] = [entry for entry in ordered if entry[2].listed == entry[0]]
            self._first = 0

    def _park(self, sequence: int, fee_cap_wei: int, queue: SenderQueue) -> None:
        queue.listed, queue.parked = _NONE, sequence
        if len(self._parked) > 2 * len(self._senders) + _SLACK:
            self._parked = list({s: (fee, s, q) for fee, s, q in self._parked if q.parked == s}.values())
            heapq.heapify(self._parked)
        heapq.heappush(self._parked, (-fee_cap_wei, sequence, queue))
