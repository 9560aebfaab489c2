"""Express lane: the holder of the lane is served at once, everyone else a fixed time after arrival.

The advantage is sold openly instead of going to whoever races best, and it is bounded: within
``advantage_ms`` of receive time the holder can overtake, beyond it nobody can. What the holder does not get
is a look at what others send, or a way to keep anyone out. Who holds the lane is settled before a round
begins (``lane``); what counts is the round in which a transaction arrived.
"""

import heapq

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import PooledTransaction
from sequencer.ordering.lane import FixedHolder, LaneHolders
from sequencer.ordering.parameters import Parameters
from sequencer.ordering.ranked import Rank, RankedPolicy


class ExpressLane(RankedPolicy):
    """``advantage_ms``: 1 to 5,000, by default 200. ``round_ms``: 1,000 to 3,600,000, by default 60,000.
    ``holder``: the address that holds every round; or ``auction``: the contract that names the holders
    (``lane``), which are then handed in as ``lane``. With neither, nobody has an advantage. Takes no bundles:
    a bundle would share the holder's advantage with others."""

    delays = True
    takes_bundles = False

    def __init__(self, rule: OrderingRule, lane: LaneHolders | None = None) -> None:
        super().__init__(rule)
        if self.auction is None:
            self._lane: LaneHolders = FixedHolder(self._holder)
        elif lane is None:
            raise ConfigError("ordering.parameters.auction", rule.parameters["auction"], "nobody reads the lane")
        else:
            self._lane = lane

    def read(self, parameters: Parameters) -> None:
        """All four."""
        self._advantage_ms = parameters.integer("advantage_ms", 200, 1, 5_000)
        self.round_ms = parameters.integer("round_ms", 60_000, 1_000, 3_600_000)
        self._holder = parameters.address("holder")
        self.auction = parameters.address("auction")
        if self._holder is not None and self.auction is not None:
            raise ConfigError("ordering.parameters.holder", f"0x{self._holder.hex()}", "there is an auction too")

    def rank(self, pooled: PooledTransaction, base_fee_wei: int, ahead: int = 0) -> Rank:  # noqa: ARG002
        """When it is due, arrival."""
        arrival = pooled.arrival
        received_ms = arrival.received_ms
        if self._is_express(pooled):
            return received_ms, arrival.sequence
        return received_ms + self._advantage_ms, arrival.sequence

    def floor(self, pooled: PooledTransaction) -> Rank:
        """As if the holder had sent it."""
        return (pooled.arrival.received_ms,)

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:
        """By rank, faster than the general way: everyone but the holder stands in the order of arrival already,
        so only the holder's transactions are looked for ahead of their turn."""
        taken: list[PooledTransaction] = []
        gas, size_bytes, advantage_ms = budget.gas, budget.size_bytes, self._advantage_ms
        ordinary = (head for head in ready.heads() if not self._is_express(head))
        scout = ready.heads()
        scouted, head = next(scout, None), next(ordinary, None)
        turns: list[tuple[Rank, PooledTransaction]] = []
        while len(taken) < budget.count:
            if head is not None and head.arrival.received_ms + advantage_ms > now_ms:
                head = None
            until_ms = now_ms if head is None else head.arrival.received_ms + advantage_ms
            while scouted is not None and scouted.arrival.received_ms <= until_ms:
                if self._is_express(scouted):
                    heapq.heappush(turns, (self.rank(scouted, 0), scouted))
                scouted = next(scout, None)
            if turns and (head is None or turns[0][0] < self.rank(head, 0)):
                chosen = heapq.heappop(turns)[1]
            elif head is not None:
                chosen, head = head, next(ordinary, None)
            else:
                break
            gas -= chosen.transaction.gas_limit
            size_bytes -= len(chosen.transaction.raw)
            if gas < 0 or size_bytes < 0:
                break
            taken.append(chosen)
            follower = ready.after(chosen)
            if follower is not None and self.due_ms(follower) <= now_ms:
                heapq.heappush(turns, (self.rank(follower, 0), follower))
        return taken

    def _is_express(self, pooled: PooledTransaction) -> bool:
        return pooled.transaction.sender == self._lane.holder(pooled.arrival.received_ms // self.round_ms)

    def due_ms(self, pooled: PooledTransaction) -> int:
        """At once for the holder of the round in which it arrived, ``advantage_ms`` later for others."""
        return self.rank(pooled, 0)[0]
