"""Leaders that cheat, and where the audit finds it out; and an honest one that looks odd but is not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import ZERO_HASH
from sequencer.ordering.audit import AuditedBlock, Rule, Violation, audit, history_start
from sequencer.ordering.commit_reveal import REGISTRY
from sequencer.ordering.ranked import ORIGIN_BUNDLE
from tests.unit.mempool.makers import transfer
from tests.unit.ordering.leader import Leader, ranked, receipt, recorded, rewritten

FCFS = OrderingRule("fcfs")


def busy(rule: OrderingRule = FCFS, fees: tuple[int, ...] = (10, 11, 12, 13)) -> tuple[Leader, list[PooledTransaction]]:
    """A leader who has just placed one transaction of each of four senders, in this order of arrival."""
    leader = Leader(rule)
    arrived = [leader.arrive(sender, fee=fee) for sender, fee in enumerate(fees, 1)]
    leader.now_ms += 10_000
    leader.build(10)
    leader.seal()
    assert leader.audited() == []
    return leader, [pooled for pooled in arrived if pooled]


def found(leader: Leader) -> list[tuple[int, int, Rule]]:
    return [(violation.block, violation.position, violation.rule) for violation in leader.audited()]


def test_reordering() -> None:
    leader, (a, b, c, d) = busy()
    leader.blocks[0] = rewritten(leader.blocks[0], [a, c, b, d])
    assert leader.audited() == [Violation(1, 1, Rule.ORDER, c.transaction.hash)]


def test_inserting_ahead() -> None:
    leader, (a, b, c, d) = busy()
    own = PooledTransaction(transfer(9, 0), d.arrival._replace(sequence=d.arrival.sequence + 1))
    leader.blocks[0] = rewritten(leader.blocks[0], [a, own, b, c, d])
    assert leader.audited() == [Violation(1, 1, Rule.ORDER, own.transaction.hash)]


def test_delaying_into_a_later_flashblock_or_block() -> None:
    leader, (a, b, c, d) = busy()
    leader.blocks[0] = rewritten(leader.blocks[0], [a, c], [d, b])
    assert found(leader) == [(1, 1, Rule.ORDER)]
    leader, (a, b, c, d) = busy()
    leader.seal()
    leader.seal()
    leader.blocks[0] = rewritten(leader.blocks[0], [a, c, d])
    leader.blocks[2] = rewritten(leader.blocks[2], [b])
    assert found(leader) == [(1, 1, Rule.ORDER)], "the first one that stands before it is named"


def test_one_violation_a_block_the_first() -> None:
    leader, (a, b, c, d) = busy()
    leader.blocks[0] = rewritten(leader.blocks[0], [d, c, b, a])
    assert found(leader) == [(1, 0, Rule.ORDER)]


def test_falsified_records_pass_until_a_sender_shows_what_was_signed() -> None:
    leader, (a, b, c, d) = busy()
    signed = receipt(b)
    early = recorded(c, sequence=b.arrival.sequence)
    late = recorded(b, sequence=c.arrival.sequence)
    leader.blocks[0] = rewritten(leader.blocks[0], [a, early, late, d])
    assert leader.audited() == [], "its own word is all there is"
    assert leader.audited(signed) == [Violation(1, 2, Rule.RECORD, b.transaction.hash)]
    assert leader.audited(receipt(a) | receipt(d)) == [], "honest records agree with their receipts"


def test_a_falsified_time_is_shown_too() -> None:
    leader, (a, b, c, d) = busy(OrderingRule("priority_fee"))
    assert leader.blocks[0].flashblocks[0].taken == (d, c, b, a)
    signed = receipt(b)
    aged = recorded(b, received_ms=b.arrival.received_ms - 100)
    leader.blocks[0] = rewritten(leader.blocks[0], [aged, d, c, a])
    assert leader.audited() == []
    assert leader.audited(signed) == [Violation(1, 0, Rule.RECORD, b.transaction.hash)]


def test_two_transactions_cannot_have_one_number() -> None:
    leader, (a, b, c, d) = busy()
    same = recorded(c, sequence=b.arrival.sequence)
    leader.blocks[0] = rewritten(leader.blocks[0], [a, b, same, d])
    assert leader.audited() == [Violation(1, 2, Rule.RECORD, c.transaction.hash)]


def test_passing_over_who_pays_more() -> None:
    leader, (a, b, c, d) = busy(OrderingRule("priority_fee"))
    leader.blocks[0] = rewritten(leader.blocks[0], [d, b, c, a])
    assert found(leader) == [(1, 1, Rule.ORDER)]


def test_who_came_after_the_place_was_given_does_not_accuse() -> None:
    """A better payer who arrived when the others had their places stands behind them, honestly."""
    leader = Leader(OrderingRule("priority_fee", {"window_ms": 10_000}))
    leader.arrive(1, fee=5)
    leader.build(1)
    leader.arrive(2, fee=50)
    leader.build(1)
    leader.seal()
    assert leader.audited() == []


def test_giving_one_sender_two_places_in_a_round() -> None:
    leader = Leader(OrderingRule("round_robin"))
    first, greedy = leader.arrive(1), leader.arrive(1)
    other, last = leader.arrive(2), leader.arrive(3)
    assert first is not None
    assert greedy is not None
    assert other is not None
    assert last is not None
    leader.build(5)
    leader.seal()
    assert leader.blocks[0].flashblocks[0].taken == (first, other, last, greedy)
    leader.blocks[0] = rewritten(leader.blocks[0], [first, last, greedy, other])
    assert found(leader) == [(1, 1, Rule.ORDER)]
    leader.blocks[0] = rewritten(leader.blocks[0], [first, greedy, other, last])
    assert leader.audited() == [], "as if the others had come after the second had its place: nobody can tell"


def test_serving_a_friend_before_the_advantage_is_over() -> None:
    leader = Leader(OrderingRule("express_lane", {"advantage_ms": 200}))
    friend = leader.arrive(3)
    assert friend
    leader.now_ms += 300
    leader.build(1)
    leader.seal()
    assert leader.audited() == []
    hasty = recorded(friend, received_ms=leader.now_ms - 199)
    leader.blocks[0] = rewritten(leader.blocks[0], [hasty])
    assert found(leader) == [(1, 0, Rule.EARLY)]


def test_revealing_for_a_friend_before_the_turn_of_its_commitment() -> None:
    leader = Leader(OrderingRule("commit_reveal", {"delay_blocks": 2}))
    hidden = PooledTransaction(transfer(1, 1), leader.pool.arrival(0, 0))
    made = transfer(1, 0)
    commitment = PooledTransaction(
        replace(made, to=REGISTRY, data=hidden.transaction.hash),  # type: ignore[type-var]
        leader.pool.arrival(0, 0),
    )
    for _ in range(3):
        leader.seal()
    empty = leader.blocks[1]
    leader.blocks[0] = with_contents(leader.blocks[0], [commitment])
    leader.blocks[2] = with_contents(leader.blocks[2], [hidden])
    assert leader.audited() == []
    leader.blocks[1], leader.blocks[2] = with_contents(empty, [hidden]), with_contents(leader.blocks[2], [])
    assert found(leader) == [(2, 0, Rule.INELIGIBLE)]


def with_contents(block: AuditedBlock, taken: list[PooledTransaction]) -> AuditedBlock:
    return rewritten(block, taken) if taken else AuditedBlock(block.attributes, ())


def test_a_bundle_stands_as_one_and_overtakes_nobody() -> None:
    leader, (a, b, c, d) = busy()
    arrival = d.arrival._replace(sequence=d.arrival.sequence + 1, origin=ORIGIN_BUNDLE)
    bundle = [PooledTransaction(transfer(sender, 0), arrival) for sender in (7, 8)]
    leader.blocks[0] = rewritten(leader.blocks[0], [a, b, c, d, *bundle])
    assert leader.audited() == []
    leader.blocks[0] = rewritten(leader.blocks[0], [a, *bundle, b, c, d])
    assert found(leader) == [(1, 1, Rule.ORDER)]


def test_a_split_bundle_is_two_transactions_with_one_number() -> None:
    leader, (a, b, c, d) = busy()
    arrival = d.arrival._replace(sequence=d.arrival.sequence + 1, origin=ORIGIN_BUNDLE)
    one, two = (PooledTransaction(transfer(sender, 0), arrival) for sender in (7, 8))
    late = PooledTransaction(transfer(6, 0), arrival._replace(sequence=arrival.sequence + 1, origin=0))
    leader.blocks[0] = rewritten(leader.blocks[0], [a, b, c, d, one, late, two])
    assert found(leader) == [(1, 6, Rule.RECORD)]


def test_a_bundle_under_a_policy_that_takes_none() -> None:
    leader, (a, b, c, d) = busy(OrderingRule("round_robin"))
    arrival = d.arrival._replace(sequence=d.arrival.sequence + 1, origin=ORIGIN_BUNDLE)
    leader.blocks[0] = rewritten(leader.blocks[0], [a, b, c, d, PooledTransaction(transfer(7, 0), arrival)])
    assert found(leader) == [(1, 4, Rule.BUNDLE)]


def test_another_policy_than_the_declared_one() -> None:
    leader, _ = busy()
    block = leader.blocks[0]
    other = replace(block.attributes, extra_data=OrderingRule("round_robin").policy_id)
    leader.blocks[0] = AuditedBlock(other, block.flashblocks)
    assert leader.audited() == [Violation(1, 0, Rule.POLICY, ZERO_HASH)]


def test_numbers_are_not_compared_across_terms() -> None:
    """Who takes over numbers arrivals anew."""
    leader, (a, b, c, d) = busy()
    leader.term += 1
    leader.seal()
    leader.blocks[0] = rewritten(leader.blocks[0], [c, d])
    leader.blocks[1] = rewritten(leader.blocks[1], [a, b])
    assert leader.audited() == []


@given(
    senders=st.lists(st.integers(1, 4), min_size=4, max_size=20),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    data=st.data(),
)
def test_any_swap_of_neighbours_is_found(senders: list[int], cuts: list[int], data: st.DataObject) -> None:
    leader = Leader()
    for sender, cut in zip(senders, cuts * len(senders), strict=False):
        leader.arrive(sender)
        leader.build(cut)
        leader.close()
    leader.build(100)
    leader.seal()
    block = leader.blocks[0]
    placed = [pooled for flashblock in block.flashblocks for pooled in flashblock.taken]
    pairs = [at for at in range(len(placed) - 1) if placed[at].transaction.sender != placed[at + 1].transaction.sender]
    if pairs:
        at = data.draw(st.sampled_from(pairs))
        placed[at], placed[at + 1] = placed[at + 1], placed[at]
        leader.blocks[0] = rewritten(block, placed)
        assert found(leader) == [(1, at, Rule.ORDER)]


class Lottery:
    """A policy without a rank."""

    policy_id = FCFS.policy_id

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:
        return list(ready.heads())[: budget.count]


def test_what_has_no_rank_cannot_be_audited() -> None:
    with pytest.raises(ConfigError, match="cannot be audited: it has no rank"):
        list(audit(Lottery(), [], 1, 1))


@pytest.mark.parametrize(
    ("rule", "first", "start"),
    [(FCFS, 1, 1), (FCFS, 100, 84), (OrderingRule("commit_reveal", {"delay_blocks": 20}), 100, 60)],
)
def test_where_to_begin_reading(rule: OrderingRule, first: int, start: int) -> None:
    assert history_start(ranked(rule), first) == start


def test_only_the_blocks_that_were_asked_for_are_judged() -> None:
    leader, _ = busy()
    for _ in range(4):
        leader.seal()

    def judged(first: int, last: int) -> list[int]:
        return [number for number, _ in audit(ranked(FCFS), leader.blocks, first, last)]

    assert judged(2, 4) == [2, 3, 4]
    assert judged(4, 9) == [4, 5]
