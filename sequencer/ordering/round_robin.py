"""Round robin: every sender gets the same share of each round, whoever sent how much.

A round takes up to ``share`` transactions from each sender, in the order in which the senders' next
transactions arrived; then the next round begins. Each pick begins a new first round.
"""

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Hash32
from sequencer.ordering.parameters import Parameters


class RoundRobin:
    """``share``: transactions of one sender a round, 1 to 1024, by default 1."""

    def __init__(self, rule: OrderingRule) -> None:
        parameters = Parameters(rule)
        self._share = parameters.integer("share", 1, 1, 1024)
        parameters.finish()
        self._policy_id = rule.policy_id

    @property
    def policy_id(self) -> Hash32:
        """See ``OrderingRule.policy_id``."""
        return self._policy_id

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:  # noqa: ARG002
        """Rounds, up to the first transaction that does not fit."""
        taken: list[PooledTransaction] = []
        gas, size_bytes = budget.gas, budget.size_bytes
        turns = ready.heads()
        while True:
            rest: list[PooledTransaction] = []
            for turn in turns:
                chosen: PooledTransaction | None = turn
                for _ in range(self._share):
                    if chosen is None:
                        break
                    gas -= chosen.transaction.gas_limit
                    size_bytes -= len(chosen.transaction.raw)
                    if len(taken) == budget.count or gas < 0 or size_bytes < 0:
                        return taken
                    taken.append(chosen)
                    chosen = ready.after(chosen)
                if chosen is not None:
                    rest.append(chosen)
            if not rest:
                return taken
            rest.sort(key=_arrival)
            turns = iter(rest)


def _arrival(pooled: PooledTransaction) -> int:
    return pooled.arrival.sequence
