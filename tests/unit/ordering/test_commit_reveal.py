"""A place that is taken before anyone knows what for: when it is kept, and when it is lost."""

from dataclasses import replace

import pytest

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Budget
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.core.types import Address
from sequencer.ordering.commit_reveal import REGISTRY, CommitReveal
from sequencer.ordering.registry import make_policy
from tests.conformance.ordering.test_policy_conformance import MemoryReady, transaction

ROOM = Budget(10**9, 10**9, 100)


class Story:
    """A policy, the block that is open, and arrivals in the order in which they are made."""

    def __init__(self, **parameters: str | int) -> None:
        policy = make_policy(OrderingRule("commit_reveal", {"delay_blocks": 2, **parameters}))
        assert isinstance(policy, CommitReveal)
        self.policy = policy
        self.arrivals = 0
        self.open(1)

    def open(self, number: int) -> None:
        self.policy.opened(number)

    def hidden(self, sender: int, nonce: int = 1) -> PooledTransaction:
        """A transaction that its sender keeps until it is used in ``pick``."""
        return PooledTransaction(transaction(sender, nonce, 21_000, 60, 1), Arrival(10_000 + sender, 0, 0))

    def ordinary(self, sender: int, nonce: int = 0) -> PooledTransaction:
        self.arrivals += 1
        return PooledTransaction(transaction(sender, nonce, 21_000, 50, 1), Arrival(self.arrivals, 0, 0))

    def commit(self, hidden: PooledTransaction, sender: int | None = None, to: Address = REGISTRY) -> None:
        """The commitment is placed in the open block."""
        of = int.from_bytes(hidden.transaction.sender) if sender is None else sender
        made = self.ordinary(of)
        fields = {"to": to, "data": hidden.transaction.hash}
        self.policy.placed(PooledTransaction(replace(made.transaction, **fields), made.arrival))  # type: ignore[type-var]

    def pick(self, *pooled: PooledTransaction) -> list[PooledTransaction]:
        queues: dict[Address, list[PooledTransaction]] = {}
        for one in sorted(pooled, key=lambda p: p.arrival.sequence):
            queues.setdefault(one.transaction.sender, []).append(one)
        picked = self.policy.pick(MemoryReady(queues), ROOM, 0)
        for one in picked:
            self.policy.placed(one)
        return picked


def test_revealed_transactions_come_first_in_the_order_of_their_commitments() -> None:
    story = Story()
    late, early, user = story.hidden(1), story.hidden(2), story.ordinary(3)
    story.commit(early)
    story.commit(late)
    story.open(3)
    assert story.pick(user, late, early) == [early, late, user]


def test_nothing_that_was_committed_to_runs_before_its_turn() -> None:
    """Else whoever reveals later would see what the others do."""
    story = Story()
    hidden, user = story.hidden(1), story.ordinary(3)
    story.commit(hidden)
    assert story.pick(hidden) == []
    story.open(2)
    assert story.pick(user, hidden) == [user]
    story.open(3)
    assert story.pick(hidden) == [hidden]


def test_a_reveal_after_others_were_served_has_lost_its_place() -> None:
    story = Story()
    missing, there, user = story.hidden(1), story.hidden(2), story.ordinary(3)
    story.commit(missing)
    story.commit(there)
    story.open(3)
    assert story.pick(there) == [there], "the first place is passed over"
    assert story.pick(missing, user) == [user, missing], "it is one like any other now"


def test_an_ordinary_transaction_ends_the_waiting_too() -> None:
    story = Story()
    hidden = story.hidden(1)
    story.commit(hidden)
    story.open(3)
    assert len(story.pick(story.ordinary(3))) == 1
    user = story.ordinary(4)
    assert story.pick(hidden, user) == [user, hidden]


def test_a_place_outlives_a_block_that_is_full() -> None:
    story = Story()
    first, second = story.hidden(1), story.hidden(2)
    story.commit(first)
    story.commit(second)
    story.open(3)
    small = Budget(21_000, 10**9, 100)
    ready = MemoryReady({p.transaction.sender: [p] for p in (first, second)})
    assert story.policy.pick(ready, small, 0) == [first]
    story.policy.placed(first)
    story.open(4)
    user = story.ordinary(3)
    assert story.pick(user, second) == [second, user]


def test_blocks_in_which_nothing_happens_do_not_keep_a_place_for_ever() -> None:
    story = Story()
    hidden = story.hidden(1)
    story.commit(hidden)
    for number in range(2, 7):
        story.open(number)
    user = story.ordinary(3)
    assert story.pick(hidden, user) == [user, hidden]


def test_committing_to_anothers_transaction_neither_moves_it_nor_holds_it_up() -> None:
    story = Story()
    victim = story.hidden(1)
    story.commit(victim, sender=9)
    assert story.pick(victim) == [victim]


def test_the_first_commitment_counts() -> None:
    story = Story()
    twice, other = story.hidden(1), story.hidden(2)
    story.commit(twice)
    story.commit(other)
    story.commit(twice)
    story.open(3)
    assert story.pick(other, twice) == [twice, other]


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33)])
def test_only_a_hash_is_a_commitment(data: bytes) -> None:
    story = Story()
    made = story.ordinary(1)
    story.policy.placed(PooledTransaction(replace(made.transaction, to=REGISTRY, data=data), made.arrival))  # type: ignore[type-var]
    story.open(3)
    hidden = story.hidden(1)
    user = story.ordinary(2)
    assert story.pick(hidden, user) == [user, hidden]


def test_another_registry_by_configuration() -> None:
    elsewhere = Address(b"\x77" * 20)
    story = Story(registry="0x" + elsewhere.hex())
    ignored, hidden = story.hidden(1), story.hidden(2)
    story.commit(ignored)
    story.commit(hidden, to=elsewhere)
    story.open(3)
    assert story.pick(ignored, hidden) == [hidden, ignored]


def test_how_far_back_it_must_remember() -> None:
    assert Story(delay_blocks=5).policy.history_blocks == 10


def test_wrong_parameters_name_themselves() -> None:
    with pytest.raises(ConfigError, match=r"ordering\.parameters\.delay_blocks = 65: must be from 1 to 64"):
        Story(delay_blocks=65)
