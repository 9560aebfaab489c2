"""What eviction chooses from: who holds most, and what pays least.

Both indexes are told of changes as they happen and looked at only when there is no room.
"""

import heapq
from collections.abc import Callable, Iterator

from mempool.sender_queue import SenderQueue
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Hash32

_SLACK = 1_024
"""Stale entries that are not worth clearing."""


class Holders:
    """Senders by how many transactions they hold, as far as it is more than ``floor``."""

    def __init__(self, floor: int) -> None:
        self._floor = floor
        self._by_count: dict[int, dict[SenderQueue, None]] = {}

    def move(self, queue: SenderQueue, before: int, after: int) -> None:
        """The sender holds ``after`` instead of ``before``."""
        if before > self._floor:
            senders = self._by_count[before]
            del senders[queue]
            if not senders:
                del self._by_count[before]
        if after > self._floor:
            self._by_count.setdefault(after, {})[queue] = None

    def largest_first(self) -> Iterator[SenderQueue]:
        """Holders of most first; among equals, whoever reached the count first."""
        for count in sorted(self._by_count, reverse=True):
            yield from self._by_count[count]

    def largest(self) -> SenderQueue | None:
        """The holder of most."""
        return next(iter(self._by_count[max(self._by_count)])) if self._by_count else None


class Cheapest:
    """Executable transactions by fee cap. ``executable`` looks one up by hash, None if it is not one."""

    def __init__(self, executable: Callable[[Hash32], PooledTransaction | None]) -> None:
        self._executable = executable
        self._heap: list[tuple[int, Hash32]] = []

    def add(self, pooled: PooledTransaction, executable_count: int) -> None:
        """A transaction became executable, of ``executable_count`` now."""
        if len(self._heap) > 2 * executable_count + _SLACK:
            self._heap = [entry for entry in set(self._heap) if self._executable(entry[1])]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (pooled.transaction.max_fee_per_gas, pooled.transaction.hash))

    def first(self) -> PooledTransaction | None:
        """The executable transaction that pays least."""
        while self._heap:
            pooled = self._executable(self._heap[0][1])
            if pooled is not None:
                return pooled
            heapq.heappop(self._heap)
        return None
