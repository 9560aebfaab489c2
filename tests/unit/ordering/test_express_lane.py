"""Who is served when: the holder of the lane at once, everyone else after the advantage."""

import pytest

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Budget
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.core.types import ZERO_HASH, Address, Hash32
from sequencer.ordering.express_lane import ExpressLane
from sequencer.ordering.lane import ROUNDS_KEPT, LaneTable, holder_slot
from sequencer.ordering.registry import make_policy
from tests.conformance.ordering.test_policy_conformance import MemoryReady, transaction

HOLDER, USER, OTHER = (Address(number.to_bytes(20, "big")) for number in (1, 2, 3))
ROOM = Budget(10**9, 10**9, 100)


def arrived(sender: Address, sequence: int, received_ms: int, nonce: int = 0) -> PooledTransaction:
    made = transaction(int.from_bytes(sender), nonce, 21_000, 50, 1)
    return PooledTransaction(made, Arrival(sequence, received_ms, 0))


def ready(*pooled: PooledTransaction) -> MemoryReady:
    queues: dict[Address, list[PooledTransaction]] = {}
    for one in pooled:
        queues.setdefault(one.transaction.sender, []).append(one)
    return MemoryReady(queues)


def lane(**parameters: str | int) -> ExpressLane:
    policy = make_policy(OrderingRule("express_lane", parameters))
    assert isinstance(policy, ExpressLane)
    return policy


HOLDING = {"advantage_ms": 100, "round_ms": 1_000, "holder": "0x" + HOLDER.hex()}


def test_the_holder_overtakes_who_came_within_the_advantage_and_nobody_else() -> None:
    early, late = arrived(USER, 0, 1_000), arrived(OTHER, 1, 1_150)
    holder = arrived(HOLDER, 2, 1_200)
    assert lane(**HOLDING).pick(ready(early, late, holder), ROOM, 2_000) == [early, holder, late]


def test_others_wait_for_the_advantage_even_if_nobody_uses_it() -> None:
    user = arrived(USER, 0, 1_000)
    policy = lane(**HOLDING)
    assert policy.pick(ready(user), ROOM, 1_099) == []
    assert policy.pick(ready(user), ROOM, 1_100) == [user]


def test_the_holder_does_not_wait() -> None:
    holder = [arrived(HOLDER, nonce, 1_000, nonce) for nonce in range(3)]
    assert lane(**HOLDING).pick(ready(*holder), ROOM, 1_000) == holder


def test_each_round_has_its_own_holder() -> None:
    table = LaneTable()
    table.learn(1, Hash32(bytes(12) + HOLDER))
    table.learn(2, Hash32(bytes(12) + USER))
    contract = "0x" + "cc" * 20
    policy = make_policy(OrderingRule("express_lane", {"auction": contract, "round_ms": 1_000}), table)
    first, second = arrived(HOLDER, 0, 1_900), arrived(HOLDER, 1, 2_100, 1)
    other = arrived(USER, 2, 2_200)
    assert policy.pick(ready(first, second, other), ROOM, 3_000) == [first, other, second]


def test_with_nobody_in_the_lane_it_is_first_come_first_served() -> None:
    pooled = [arrived(sender, at, 1_000 + at) for at, sender in enumerate((OTHER, HOLDER, USER))]
    assert lane().pick(ready(*pooled), ROOM, 9_000) == pooled


def test_what_was_read_first_stands() -> None:
    table = LaneTable()
    table.learn(7, Hash32(bytes(12) + HOLDER))
    table.learn(7, Hash32(bytes(12) + USER))
    table.learn(8, ZERO_HASH)
    assert (table.holder(7), table.holder(8), table.holder(9)) == (HOLDER, None, None)
    assert (table.knows(8), table.knows(9)) == (True, False)


def test_old_rounds_are_forgotten() -> None:
    table = LaneTable()
    for number in range(ROUNDS_KEPT + 5):
        table.learn(number, Hash32(bytes(12) + HOLDER))
    assert [number for number in range(ROUNDS_KEPT + 5) if table.knows(number)] == list(range(5, ROUNDS_KEPT + 5))


def test_the_slot_is_where_solidity_puts_it() -> None:
    """``cast index uint256 1 0``"""
    assert holder_slot(1).hex() == "ada5013122d395ba3c54772283fb069b10426056ef8ca54750cb9bb552a59e7d"


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"holder": "0x12"}, "ordering.parameters.holder = '0x12': hex string has length 2, want 40"),
        ({"holder": "0x" + "AB" * 20}, "must be written in lower case"),
        ({"holder": "0x" + "ab" * 20, "auction": "0x" + "cd" * 20}, "there is an auction too"),
        ({"auction": "0x" + "cd" * 20}, "nobody reads the lane"),
        ({"advantage_ms": 0}, "must be from 1 to 5000"),
        ({"lane": 1}, "policy express_lane has no such parameter"),
    ],
)
def test_wrong_parameters_name_themselves(parameters: dict[str, str | int], text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        lane(**parameters)
    assert text in str(refused.value)
