"""Priority fee: within a window of arrival, whoever pays the sequencer more per gas comes first.

Windows are runs of ``window_ms`` milliseconds of receive time, and an older window always comes before a
newer one: a fee buys a place among those who came at about the same time, and nobody can be held off for
ever by better payers. What counts is what the sequencer really gets, the declared tip or what the fee cap
leaves above the base fee, whichever is less; ties are broken by arrival.
"""

import heapq

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Hash32
from sequencer.ordering.parameters import Parameters


class PriorityFee:
    """``window_ms``: length of a window, 1 to 10,000, by default 100."""

    def __init__(self, rule: OrderingRule) -> None:
        parameters = Parameters(rule)
        self._window_ms = parameters.integer("window_ms", 100, 1, 10_000)
        parameters.finish()
        self._policy_id = rule.policy_id

    @property
    def policy_id(self) -> Hash32:
        """See ``OrderingRule.policy_id``."""
        return self._policy_id

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:  # noqa: ARG002
        """Windows from the oldest on, each by fee, up to the first transaction that does not fit."""
        # Where a source of transactions tells no base fee, every declared tip is paid in full.
        base_fee_wei: int = ready.base_fee_wei
        taken: list[PooledTransaction] = []
        gas, size_bytes, window_ms = budget.gas, budget.size_bytes, self._window_ms
        candidates: list[tuple[int, int, int, PooledTransaction]] = []
        heads = ready.heads()
        head = next(heads, None)
        while len(taken) < budget.count:
            while head is not None and (not candidates or head.arrival.received_ms // window_ms <= candidates[0][0]):
                heapq.heappush(candidates, _ranked(head, head.arrival.received_ms // window_ms, base_fee_wei))
                head = next(heads, None)
            if not candidates:
                break
            window, _, _, chosen = heapq.heappop(candidates)
            gas -= chosen.transaction.gas_limit
            size_bytes -= len(chosen.transaction.raw)
            if gas < 0 or size_bytes < 0:
                break
            taken.append(chosen)
            follower = ready.after(chosen)
            if follower is not None:
                # One that came before its sender's previous transaction competes in that one's window.
                later = max(window, follower.arrival.received_ms // window_ms)
                heapq.heappush(candidates, _ranked(follower, later, base_fee_wei))
        return taken


def _ranked(pooled: PooledTransaction, window: int, base_fee_wei: int) -> tuple[int, int, int, PooledTransaction]:
    transaction = pooled.transaction
    tip_wei = min(transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas - base_fee_wei)
    return window, -tip_wei, pooled.arrival.sequence, pooled
