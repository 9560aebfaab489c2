"""First come, first served: the order in which transactions reached this node.

A transaction that arrived before the one its nonce waits for takes its place right after that one; every
other pair of transactions stands in the order of arrival.
"""

import heapq

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Hash32
from sequencer.ordering.parameters import Parameters


class FirstComeFirstServed:
    """Takes no parameters."""

    def __init__(self, rule: OrderingRule) -> None:
        Parameters(rule).finish()
        self._policy_id = rule.policy_id

    @property
    def policy_id(self) -> Hash32:
        """See ``OrderingRule.policy_id``."""
        return self._policy_id

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:  # noqa: ARG002
        """Arrival order, up to the first transaction that does not fit: none is passed by a later one."""
        taken: list[PooledTransaction] = []
        gas, size_bytes, count = budget.gas, budget.size_bytes, budget.count
        heads = ready.heads()
        head = next(heads, None)
        followers: list[tuple[int, PooledTransaction]] = []
        while len(taken) < count:
            if followers and (head is None or followers[0][0] < head.arrival.sequence):
                chosen = heapq.heappop(followers)[1]
            elif head is not None:
                chosen, head = head, next(heads, None)
            else:
                break
            gas -= chosen.transaction.gas_limit
            size_bytes -= len(chosen.transaction.raw)
            if gas < 0 or size_bytes < 0:
                break
            taken.append(chosen)
            follower = ready.after(chosen)
            if follower is not None:
                heapq.heappush(followers, (follower.arrival.sequence, follower))
        return taken
