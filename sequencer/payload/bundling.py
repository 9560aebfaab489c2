"""Where a bundle goes: in the block as a whole, and among the transactions that the policy put next.

Pure. A bundle stands where the worst ranked of its transactions could stand by itself, so it overtakes nobody
that its transactions would not overtake one by one.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Address


class Room(Enum):
    """Where a bundle fits."""

    HERE = auto()
    NEXT_FLASHBLOCK = auto()
    NOWHERE = auto()
    """In this block."""


class Ranking(Protocol):
    """How transactions rank; None for one that may not stand in the open block."""

    def rank(self, pooled: PooledTransaction, base_fee_wei: int, ahead: int = 0) -> tuple[int, ...] | None: ...


def ahead_of_bundle(
    ranking: Ranking, picked: Sequence[PooledTransaction], members: Sequence[PooledTransaction], base_fee_wei: int
) -> int:
    """How many of ``picked``, which stand in order, come before the bundle."""
    worst = max(_ranks(ranking, members, base_fee_wei), default=None)
    if worst is None:
        return 0
    ranks = _ranks(ranking, picked, base_fee_wei)
    return next((at for at, rank in enumerate(ranks) if rank > worst), len(picked))


def _ranks(ranking: Ranking, transactions: Sequence[PooledTransaction], base_fee_wei: int) -> list[tuple[int, ...]]:
    """The rank of each one if those before it are placed."""
    ranks: list[tuple[int, ...]] = []
    ahead: dict[Address, int] = {}
    for pooled in transactions:
        sender = pooled.transaction.sender
        rank = ranking.rank(pooled, base_fee_wei, ahead.get(sender, 0))
        ahead[sender] = ahead.get(sender, 0) + 1
        if rank is not None:
            ranks.append(rank)
    return ranks
