"""Round robin: every sender gets the same share of each round of a block, whoever sent how much.

A sender's first ``share`` places in a block belong to round 0, the next ``share`` to round 1, and so on; an
earlier round comes first, and within a round the order is that of arrival.
"""

from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Address
from sequencer.ordering.parameters import Parameters
from sequencer.ordering.ranked import Rank, RankedPolicy


class RoundRobin(RankedPolicy):
    """``share``: places of one sender a round, 1 to 1024, by default 1. Takes no bundles: they would let one
    party have several places at once."""

    takes_bundles = False

    def read(self, parameters: Parameters) -> None:
        """``share``."""
        self._share = parameters.integer("share", 1, 1, 1024)
        self._places: dict[Address, int] = {}

    def rank(self, pooled: PooledTransaction, base_fee_wei: int, ahead: int = 0) -> Rank:  # noqa: ARG002
        """Round, arrival."""
        before = self._places.get(pooled.transaction.sender, 0) + ahead
        return before // self._share, pooled.arrival.sequence

    def floor(self, pooled: PooledTransaction) -> Rank:
        """Whoever has no place in this block yet is in round 0."""
        return 0, pooled.arrival.sequence

    def opened(self, block_number: int) -> None:  # noqa: ARG002
        """Rounds begin anew."""
        self._places.clear()

    def placed(self, pooled: PooledTransaction) -> None:
        """One more place for its sender."""
        sender = pooled.transaction.sender
        self._places[sender] = self._places.get(sender, 0) + 1
