"""Fee suggestions and fee history. Pure, but for a bounded memory of what blocks paid.

Order on this chain is by arrival, so a tip buys no place: suggestions follow the least that recent blocks
took, within fixed bounds, and nobody's generous tip raises everyone else's.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import Hash32
from sequencer.rpc.errors import invalid_params
from sequencer.rpc.render.transaction import effective_gas_price

PERCENTILES_LIMIT = 100
_REMEMBERED_BLOCKS = 4_096


@dataclass(frozen=True, slots=True)
class BlockFees:
    """One row of a fee history. Fees in wei per gas."""

    base_fee_wei: int
    gas_used_ratio: float
    rewards: tuple[int, ...]


class RewardMemory:
    """Rewards of sealed blocks by hash and percentiles, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._rewards: OrderedDict[tuple[Hash32, tuple[float, ...]], tuple[int, ...]] = OrderedDict()

    def get(self, block_hash: Hash32, percentiles: tuple[float, ...]) -> tuple[int, ...] | None:
        """What ``put`` was given, while it is remembered."""
        key = (block_hash, percentiles)
        found = self._rewards.get(key)
        if found is not None:
            self._rewards.move_to_end(key)
        return found

    def put(self, block_hash: Hash32, percentiles: tuple[float, ...], rewards: tuple[int, ...]) -> None:
        """Remember the rewards of a sealed block."""
        self._rewards[block_hash, percentiles] = rewards
        if len(self._rewards) > _REMEMBERED_BLOCKS:
            self._rewards.popitem(last=False)


def rewards(
    base_fee_wei: int, transactions: Sequence[Transaction], outcomes: Sequence[Outcome], percentiles: Sequence[float]
) -> tuple[int, ...]:
    """The tips per gas, in wei, at these percentiles of the block's gas, lowest tip first; zeros if empty."""
    if not transactions:
        return (0,) * len(percentiles)
    paid = sorted(
        (effective_gas_price(transaction, base_fee_wei) - base_fee_wei, outcome.gas_used)
        for transaction, outcome in zip(transactions, outcomes, strict=True)
    )
    total = sum(gas for _, gas in paid)
    found = []
    index, gas_so_far = 0, paid[0][1]
    for percentile in percentiles:
        threshold = total * percentile / 100
        while gas_so_far < threshold and index < len(paid) - 1:
            index += 1
            gas_so_far += paid[index][1]
        found.append(paid[index][0])
    return tuple(found)


def suggest_tip(lowest_tips_wei: Sequence[int], minimum_wei: int, maximum_wei: int) -> int:
    """A tip per gas in wei: the median of the lowest tips that recent blocks took, within the bounds."""
    middle = sorted(lowest_tips_wei)[len(lowest_tips_wei) // 2] if lowest_tips_wei else 0
    return min(max(middle, minimum_wei), maximum_wei)


def check_percentiles(percentiles: Sequence[float]) -> None:
    """Raises ``RpcError`` unless they are at most a hundred numbers from 0 to 100 that never fall."""
    if len(percentiles) > PERCENTILES_LIMIT:
        raise invalid_params(f"invalid reward percentile: over the query limit {PERCENTILES_LIMIT}")
    previous = 0.0
    for index, percentile in enumerate(percentiles):
        if not 0 <= percentile <= 100:
            raise invalid_params(f"invalid reward percentile: {percentile:f}")
        if percentile < previous:
            raise invalid_params(f"invalid reward percentile: #{index - 1}:{previous:f} >= #{index}:{percentile:f}")
        previous = percentile
