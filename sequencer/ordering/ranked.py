"""What most policies are: a rank for each transaction, and always the smallest rank next.

Whoever writes a policy says how transactions rank; picking, the place of bundles and the audit follow from
that. A rank may look at the transaction, its arrival, the base fee, and what was placed before it
(``opened``, ``placed``), and at nothing else: no clock, no randomness, no order of calls. Hence a pick is the
same whether it is asked for at once or piece by piece, and anyone who has the blocks can repeat it.
"""

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar, Final, TypeAlias

from sequencer.core.block import Block
from sequencer.core.chain_spec import OrderingRule
from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.core.types import Hash32
from sequencer.ordering.parameters import Parameters

Rank: TypeAlias = tuple[int, ...]
"""Compared from the left; the smallest comes first."""


ORIGIN_BUNDLE: Final = 2
"""The origin in the arrival records of a bundle's transactions, which also share one sequence number."""


class Evidence(StrEnum):
    """What it takes to check that a policy was kept. The value is what ``sequencer_capabilities`` says."""

    CHAIN = "chain"
    """The blocks: everything it orders by is in the transactions themselves."""
    RECEIPTS = "receipts"
    """It orders by arrival, which the leader itself records: that the records are true can be shown only by
    the receipts that it signed for senders."""
    NONE = "none"
    """It has no rank to replay."""


class RankedPolicy(ABC):
    """``core.ports.OrderingPolicy`` by rank. A subclass writes ``rank``, and ``read`` if it has parameters."""

    evidence: ClassVar[Evidence] = Evidence.RECEIPTS
    delays: ClassVar[bool] = False
    """It has a ``due_ms`` of its own."""
    takes_bundles: ClassVar[bool] = True
    """A bundle may stand where the worst ranked of its transactions could."""
    history_blocks = 0
    """How many blocks back ``placed`` must have been told of, for ranks to be right."""

    def __init__(self, rule: OrderingRule) -> None:
        parameters = Parameters(rule)
        self.read(parameters)
        parameters.finish()
        self._policy_id = rule.policy_id

    @property
    def policy_id(self) -> Hash32:
        """See ``OrderingRule.policy_id``."""
        return self._policy_id

    def read(self, parameters: Parameters) -> None:  # noqa: B027 - most have none
        """Take over the parameters."""

    @abstractmethod
    def rank(self, pooled: PooledTransaction, base_fee_wei: int, ahead: int = 0) -> Rank | None:
        """Of a transaction in the open block, with ``ahead`` more of its sender to be placed before it than
        ``placed`` told of. None if it may not stand in this block."""

    def floor(self, pooled: PooledTransaction) -> Rank:  # noqa: ARG002
        """No transaction that arrived when ``pooled`` did or later has a smaller rank: saves looking."""
        return ()

    def due_ms(self, pooled: PooledTransaction) -> int:
        """The earliest time (unix milliseconds) at which it may be placed; asked only if ``delays``."""
        return pooled.arrival.received_ms

    def opened(self, block_number: int) -> None:  # noqa: B027 - most remember nothing
        """A block begins. Told of every block from ``history_blocks`` before the first pick on."""

    def placed(self, pooled: PooledTransaction) -> None:  # noqa: B027
        """It stands in the open block, after everything told before."""

    def remember(self, blocks: Iterable[Block]) -> None:
        """At a start: be told of the last ``history_blocks`` sealed blocks, oldest first."""
        unknown = Arrival(0, 0, 0)
        for block in blocks:
            self.opened(block.header.number)
            for transaction in block.transactions:
                self.placed(PooledTransaction(transaction, unknown))

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:
        """By rank, up to the first transaction that does not fit: none is passed by one that ranks behind."""
        base_fee_wei, rank, floor = ready.base_fee_wei, self.rank, self.floor
        due_ms = self.due_ms if self.delays else None
        taken: list[PooledTransaction] = []
        gas, size_bytes = budget.gas, budget.size_bytes
        turns: list[tuple[Rank, int, int, PooledTransaction]] = []
        heads = ready.heads()
        head = next(heads, None)
        while len(taken) < budget.count:
            while head is not None and (not turns or floor(head) <= turns[0][0]):
                if (due_ms is None or due_ms(head) <= now_ms) and (own := rank(head, base_fee_wei)) is not None:
                    heapq.heappush(turns, (own, head.arrival.sequence, 0, head))
                head = next(heads, None)
            if not turns:
                break
            _, _, ahead, chosen = turns[0]
            gas -= chosen.transaction.gas_limit
            size_bytes -= len(chosen.transaction.raw)
            if gas < 0 or size_bytes < 0:
                break
            taken.append(chosen)
            follower = ready.after(chosen)
            own = None
            if follower is not None and (due_ms is None or due_ms(follower) <= now_ms):
                own = rank(follower, base_fee_wei, ahead + 1)
            if follower is None or own is None:
                heapq.heappop(turns)
            else:
                heapq.heapreplace(turns, (own, follower.arrival.sequence, ahead + 1, follower))
        return taken
