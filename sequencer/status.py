"""How far each recent transaction and block has come, and since when (``sequencer_getTransactionStatus``).

Pure and bounded: the oldest records go first. What is forgotten here is still known to the block store,
without its times.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable
from operator import itemgetter
from typing import Generic, TypeVar

from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32
from sequencer.core.views import Status

_K = TypeVar("_K", bound=Hashable)


class Times(Generic[_K]):
    """When each key reached each status first, in unix milliseconds."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._times: OrderedDict[_K, dict[Status, int]] = OrderedDict()

    def reached(self, key: _K, status: Status, now_ms: int) -> None:
        """Only the first time counts."""
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = {}
            if len(self._times) > self._capacity:
                self._times.popitem(last=False)
        times.setdefault(status, now_ms)

    def of(self, key: _K) -> dict[Status, int]:
        """A copy; empty for an unknown key."""
        return dict(self._times.get(key, ()))


class StatusBook:
    """Times of recent blocks, for what happens to runs of transactions and whole blocks, and of recent transactions for
    what happens to few of them alone: that they had to wait, or were dropped."""

    def __init__(self, transactions: int = 200_000, blocks: int = 10_000) -> None:
        self.transactions: Times[Hash32] = Times(transactions)
        self.blocks: Times[int] = Times(blocks)
        self._flashblocks: OrderedDict[int, list[tuple[int, int]]] = OrderedDict()
        """By block: behind which position each flashblock ends, and its time."""
        self._blocks_kept = blocks

    def preconfirmed(self, flashblock: Flashblock) -> None:
        """Its transactions are promised. Told in the order of the chain."""
        ends = self._flashblocks.setdefault(flashblock.block_number, [])
        ends.append((flashblock.first_position + flashblock.transaction_count, flashblock.timestamp_ms))
        if len(self._flashblocks) > self._blocks_kept:
            self._flashblocks.popitem(last=False)

    def times(
        self, transaction_hash: Hash32, place: tuple[int, int] | None, received_ms: int | None = None
    ) -> dict[Status, int]:
        """Everything known about one transaction, which stands at ``place``: block number and position.
        ``received_ms`` is its arrival, None once that is forgotten."""
        times = self.transactions.of(transaction_hash)
        if received_ms is not None:
            times[Status.RECEIVED] = received_ms
        if place is not None:
            number, position = place
            ends = self._flashblocks.get(number, ())
            at = bisect_right(ends, position, key=itemgetter(0))
            if at < len(ends):
                times[Status.PRECONFIRMED] = ends[at][1]
            times |= self.blocks.of(number)
        return times
