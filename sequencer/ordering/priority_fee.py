"""Priority fee: within a window of arrival, whoever pays the sequencer more per gas comes first.

Windows are runs of ``window_ms`` milliseconds of receive time, and an older window always comes before a
newer one: a fee buys a place among those who came at about the same time, and nobody can be held off for
ever by better payers. What counts is what the sequencer really gets, the declared tip or what the fee cap
leaves above the base fee, whichever is less; ties are broken by arrival.
"""

import heapq
from collections.abc import Iterator
from operator import itemgetter

from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import PooledTransaction
from sequencer.ordering.parameters import Parameters
from sequencer.ordering.ranked import Rank, RankedPolicy


class PriorityFee(RankedPolicy):
    """``window_ms``: length of a window, 1 to 10,000, by default 100."""

    def read(self, parameters: Parameters) -> None:
        """``window_ms``."""
        self._window_ms = parameters.integer("window_ms", 100, 1, 10_000)

    def rank(self, pooled: PooledTransaction, base_fee_wei: int, ahead: int = 0) -> Rank:  # noqa: ARG002
        """Window, tip per gas, arrival."""
        transaction, arrival = pooled.transaction, pooled.arrival
        tip_wei = min(transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas - base_fee_wei)
        return arrival.received_ms // self._window_ms, -tip_wei, arrival.sequence

    def floor(self, pooled: PooledTransaction) -> Rank:
        """The beginning of its window."""
        return (pooled.arrival.received_ms // self._window_ms,)

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:  # noqa: ARG002
        """By rank, faster than the general way: the heads of a window are sorted in one go."""
        base_fee_wei, rank = ready.base_fee_wei, self.rank
        taken: list[PooledTransaction] = []
        gas, size_bytes, count = budget.gas, budget.size_bytes, budget.count
        heads = _Lookahead(ready.heads())
        window = -1
        sorted_heads: Iterator[PooledTransaction] = iter(())
        head: PooledTransaction | None = None
        followers: list[tuple[Rank, PooledTransaction]] = []
        while len(taken) < count:
            if head is None and heads.next is not None:
                window = heads.next.arrival.received_ms // self._window_ms
                if not followers or window <= followers[0][0][0]:
                    sorted_heads = iter(self._window(heads, window, base_fee_wei))
                    head = next(sorted_heads)
            if followers and (head is None or followers[0][0] < rank(head, base_fee_wei)):
                chosen = heapq.heappop(followers)[1]
            elif head is not None:
                chosen, head = head, next(sorted_heads, None)
            else:
                break
            gas -= chosen.transaction.gas_limit
            size_bytes -= len(chosen.transaction.raw)
            if gas < 0 or size_bytes < 0:
                break
            taken.append(chosen)
            follower = ready.after(chosen)
            if follower is not None:
                heapq.heappush(followers, (rank(follower, base_fee_wei), follower))
        return taken

    def _window(self, heads: "_Lookahead", window: int, base_fee_wei: int) -> list[PooledTransaction]:
        """The next heads as long as they are of ``window``, by rank.

        They come by arrival, and sorting keeps equals in order, so the tip is all that is compared.
        """
        end_ms = (window + 1) * self._window_ms
        found: list[tuple[int, PooledTransaction]] = []
        head = heads.next
        while head is not None and head.arrival.received_ms < end_ms:
            tip_wei = head.transaction.max_priority_fee_per_gas
            left_wei = head.transaction.max_fee_per_gas - base_fee_wei
            found.append((-tip_wei if tip_wei < left_wei else -left_wei, head))
            head = next(heads.rest, None)
        heads.next = head
        found.sort(key=itemgetter(0))
        return [pooled for _, pooled in found]


class _Lookahead:
    """Heads of which the next one can be looked at before it is taken."""

    def __init__(self, heads: Iterator[PooledTransaction]) -> None:
        self.rest = heads
        self.next = next(heads, None)
