"""Why transactions left the pool without being included, and a bounded memory of it for status queries."""

from collections import OrderedDict
from dataclasses import dataclass

from sequencer.core.errors import Reason
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Hash32


@dataclass(frozen=True, slots=True)
class Dropped:
    """A transaction that left the pool, and why."""

    pooled: PooledTransaction
    reason: Reason


class DropRecord:
    """The reasons of the last ``capacity`` dropped transactions, by hash."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._reasons: OrderedDict[Hash32, Reason] = OrderedDict()

    def add(self, transaction_hash: Hash32, reason: Reason) -> None:
        """Remember; the oldest is forgotten when full."""
        self._reasons.pop(transaction_hash, None)
        self._reasons[transaction_hash] = reason
        if len(self._reasons) > self._capacity:
            self._reasons.popitem(last=False)

    def forget(self, transaction_hash: Hash32) -> None:
        """The transaction is in the pool again, or included after all."""
        self._reasons.pop(transaction_hash, None)

    def reason(self, transaction_hash: Hash32) -> Reason | None:
        """Why it was dropped, if that is still remembered."""
        return self._reasons.get(transaction_hash)
