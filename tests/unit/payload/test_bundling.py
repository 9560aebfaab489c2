"""A bundle is in one flashblock or in none, and comes after whom it does not outrank."""

import pytest

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.ordering.registry import make_policy
from sequencer.payload.bundling import Ranking, Room, ahead_of_bundle
from tests.conformance.ordering.test_policy_conformance import transaction
from tests.unit.payload.test_block_draft import draft, outcomes, pooled


def arrived(sender: int, sequence: int, fee: int = 1, nonce: int = 0) -> PooledTransaction:
    return PooledTransaction(transaction(sender, nonce, 21_000, 50, fee), Arrival(sequence, 1_000, 0))


def ranking(name: str) -> Ranking:
    policy = make_policy(OrderingRule(name))
    assert hasattr(policy, "rank")
    return policy


def test_first_come_first_served_puts_it_where_it_arrived() -> None:
    picked = [arrived(1, 3), arrived(2, 5), arrived(3, 9)]
    bundle = [arrived(7, 6), arrived(8, 6)]
    assert ahead_of_bundle(ranking("fcfs"), picked, bundle, 0) == 2
    assert ahead_of_bundle(ranking("fcfs"), picked, [arrived(7, 1)], 0) == 0
    assert ahead_of_bundle(ranking("fcfs"), picked, [arrived(7, 99)], 0) == 3


def test_by_fee_its_cheapest_transaction_decides() -> None:
    picked = [arrived(1, 1, fee=9), arrived(2, 2, fee=5), arrived(3, 3, fee=1)]
    bundle = [arrived(7, 4, fee=100), arrived(8, 4, fee=3)]
    assert ahead_of_bundle(ranking("priority_fee"), picked, bundle, 0) == 2


def test_with_nothing_to_place_it_is_next() -> None:
    assert ahead_of_bundle(ranking("fcfs"), [], [arrived(7, 6)], 0) == 0


@pytest.mark.parametrize(
    ("members", "config", "room"),
    [
        (2, {}, Room.HERE),
        (3, {}, Room.NOWHERE),
        (2, {"flashblock_max_transactions": 1}, Room.NOWHERE),
        (2, {"flashblock_max_transactions": 2}, Room.NEXT_FLASHBLOCK),
        (2, {"flashblock_max_size_bytes": 199}, Room.NOWHERE),
        (2, {"flashblock_max_size_bytes": 250}, Room.NEXT_FLASHBLOCK),
        (2, {"flashblock_max_size_bytes": 300}, Room.HERE),
    ],
)
def test_where_it_fits_beside_one_that_is_there(members: int, config: dict[str, int], room: Room) -> None:
    """The block has room for 100,000 gas, of which 50,000 are used; a transaction asks for 21,000."""
    block = draft(**config)
    block.add([pooled()], outcomes(50_000), 0)
    assert block.room_for_bundle([pooled() for _ in range(members)]) is room
