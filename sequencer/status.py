"""How far each recent transaction and block has come, and since when (``sequencer_getTransactionStatus``).

Pure and bounded: the oldest records go first. What is forgotten here is still known to the block store,
without its times.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

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
    """Times of recent transactions, and of recent blocks for what happens to whole blocks."""

    def __init__(self, transactions: int = 200_000, blocks: int = 10_000) -> None:
        self.transactions: Times[Hash32] = Times(transactions)
        self.blocks: Times[int] = Times(blocks)

    def times(self, transaction_hash: Hash32, block_number: int | None) -> dict[Status, int]:
        """Everything known about one transaction."""
        times = self.transactions.of(transaction_hash)
        if block_number is not None:
            times |= self.blocks.of(block_number)
        return times
