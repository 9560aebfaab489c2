"""What every ordering policy owes, whoever wrote it: run over all built-in ones, with and without parameters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.keccak import keccak256
from sequencer.core.ports import Budget, ReadyTransactions
from sequencer.core.transaction import Arrival, PooledTransaction, RecoveredTransaction
from sequencer.core.types import Address
from sequencer.ordering.ranked import RankedPolicy
from sequencer.ordering.registry import BUILT_IN, make_policy

HOLDER = Address((2).to_bytes(20, "big"))
RULES = [
    OrderingRule("fcfs"),
    OrderingRule("priority_fee"),
    OrderingRule("priority_fee", {"window_ms": 1}),
    OrderingRule("round_robin"),
    OrderingRule("round_robin", {"share": 3}),
    OrderingRule("express_lane"),
    OrderingRule("express_lane", {"advantage_ms": 2, "holder": "0x" + HOLDER.hex()}),
    OrderingRule("commit_reveal"),
]
policies = pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}{dict(rule.parameters) or ''}")
UNBOUNDED = Budget(10**12, 10**12, 10**6)


def test_every_built_in_policy_is_tested() -> None:
    assert {rule.name for rule in RULES} == set(BUILT_IN)


@dataclass(frozen=True)
class MemoryReady:
    """``ReadyTransactions`` from lists: each sender's executable transactions in nonce order."""

    queues: Mapping[Address, list[PooledTransaction]]
    base_fee_wei: int = 0

    def heads(self) -> Iterator[PooledTransaction]:
        return iter(sorted((queue[0] for queue in self.queues.values() if queue), key=sequence))

    def after(self, taken: PooledTransaction) -> PooledTransaction | None:
        queue = self.queues[taken.transaction.sender]
        at = next(i for i, pooled in enumerate(queue) if pooled is taken)
        return queue[at + 1] if at + 1 < len(queue) else None


def sequence(pooled: PooledTransaction) -> int:
    return pooled.arrival.sequence


def transaction(sender: int, nonce: int, gas_limit: int, size: int, fee: int) -> RecoveredTransaction:
    name = f"{sender}/{nonce}".encode()
    return RecoveredTransaction(
        raw=name.ljust(size, b"."),
        hash=keccak256(name),
        signing_hash=keccak256(b"s" + name),
        type=2,
        chain_id=1,
        nonce=nonce,
        max_priority_fee_per_gas=fee,
        max_fee_per_gas=2 * fee,
        gas_limit=gas_limit,
        to=None,
        value=0,
        data=b"",
        y_parity=0,
        r=1,
        s=1,
        sender=Address(sender.to_bytes(20, "big")),
    )


@st.composite
def pools(draw: st.DrawFn) -> MemoryReady:
    """A few senders with a few transactions each, which arrived in any order: nonce order and arrival order
    need not agree."""
    counts = draw(st.lists(st.integers(0, 5), max_size=6))
    arrivals = draw(st.permutations(range(sum(counts))))
    position = iter(arrivals)
    queues: dict[Address, list[PooledTransaction]] = {}
    for sender, count in enumerate(counts, 1):
        nonce = draw(st.integers(0, 3))
        queue = []
        for at in range(nonce, nonce + count):
            fields = draw(st.tuples(st.integers(21_000, 90_000), st.integers(20, 400), st.integers(1, 5)))
            arrival = next(position)
            queue.append(PooledTransaction(transaction(sender, at, *fields), Arrival(arrival, 1_000 + arrival // 3, 0)))
        queues[Address(sender.to_bytes(20, "big"))] = queue
    return MemoryReady(queues)


budgets = st.builds(Budget, st.integers(0, 600_000), st.integers(0, 3_000), st.integers(0, 12))


@policies
@given(ready=pools(), budget=budgets)
def test_a_pick_is_within_the_budget(rule: OrderingRule, ready: MemoryReady, budget: Budget) -> None:
    picked = make_policy(rule).pick(ready, budget, 2_000)
    assert len(picked) <= budget.count
    assert sum(p.transaction.gas_limit for p in picked) <= budget.gas
    assert sum(len(p.transaction.raw) for p in picked) <= budget.size_bytes


@policies
@given(ready=pools(), budget=budgets)
def test_a_pick_never_breaks_nonce_order_nor_takes_anything_twice(
    rule: OrderingRule, ready: MemoryReady, budget: Budget
) -> None:
    picked = make_policy(rule).pick(ready, budget, 2_000)
    for sender, queue in ready.queues.items():
        own = [p for p in picked if p.transaction.sender == sender]
        assert own == queue[: len(own)], "a sender's transactions are taken from the first on, without gaps"
    assert len({p.transaction.hash for p in picked}) == len(picked)


@policies
@given(ready=pools(), budget=budgets)
def test_a_pick_is_a_function_of_its_arguments(rule: OrderingRule, ready: MemoryReady, budget: Budget) -> None:
    policy = make_policy(rule)
    first = policy.pick(ready, budget, 2_000)
    policy.pick(ready, UNBOUNDED, 3_000)
    assert policy.pick(ready, budget, 2_000) == first
    assert make_policy(rule).pick(ready, budget, 2_000) == first


@policies
@given(ready=pools())
def test_with_room_for_all_nothing_is_left_behind(rule: OrderingRule, ready: MemoryReady) -> None:
    picked = make_policy(rule).pick(ready, UNBOUNDED, 10**6)
    assert sorted(map(sequence, picked)) == list(range(sum(map(len, ready.queues.values()))))


def ranked(rule: OrderingRule) -> RankedPolicy:
    policy = make_policy(rule)
    assert isinstance(policy, RankedPolicy)
    return policy


@policies
@given(ready=pools(), base_fee=st.integers(0, 4), now_ms=st.integers(1_000, 1_020), budget=budgets)
def test_a_faster_way_to_pick_gives_the_same(
    rule: OrderingRule, ready: MemoryReady, base_fee: int, now_ms: int, budget: Budget
) -> None:
    priced = MemoryReady(ready.queues, base_fee)
    policy = ranked(rule)
    assert policy.pick(priced, budget, now_ms) == RankedPolicy.pick(policy, priced, budget, now_ms)


@policies
@given(ready=pools(), base_fee=st.integers(0, 4), chunks=st.lists(st.integers(1, 4), min_size=1))
def test_piece_by_piece_comes_to_the_same_as_at_once(
    rule: OrderingRule, ready: MemoryReady, base_fee: int, chunks: list[int]
) -> None:
    """How the builder cuts its work must not show in the order."""
    whole = ranked(rule).pick(MemoryReady(ready.queues, base_fee), UNBOUNDED, 10**6)
    policy, left, pieces = ranked(rule), {s: list(q) for s, q in ready.queues.items()}, []
    for count in [*chunks, *[1] * len(whole)]:
        for chosen in policy.pick(MemoryReady(left, base_fee), Budget(10**12, 10**12, count), 10**6):
            policy.placed(chosen)
            pieces.append(chosen)
            left[chosen.transaction.sender].pop(0)
    assert pieces == whole


@policies
@given(ready=pools(), base_fee=st.integers(0, 4))
def test_what_ranks_first_stands_first(rule: OrderingRule, ready: MemoryReady, base_fee: int) -> None:
    """At every position stands the smallest rank of those whose turn it is: what the audit repeats."""
    policy = ranked(rule)
    left = {sender: list(queue) for sender, queue in ready.queues.items()}
    for chosen in ranked(rule).pick(MemoryReady(ready.queues, base_fee), UNBOUNDED, 10**6):
        turns = [(policy.rank(queue[0], base_fee), queue[0]) for queue in left.values() if queue]
        assert min(rank for rank, _ in turns if rank is not None) == policy.rank(chosen, base_fee)
        assert policy.floor(chosen) <= (policy.rank(chosen, base_fee) or ())
        policy.placed(chosen)
        left[chosen.transaction.sender].pop(0)


@policies
def test_an_empty_pool_gives_an_empty_pick(rule: OrderingRule) -> None:
    empty: ReadyTransactions = MemoryReady({})
    assert make_policy(rule).pick(empty, UNBOUNDED, 0) == []


@given(ready=pools(), budget=budgets)
def test_fcfs_lets_nothing_pass_that_could_have_come_before(ready: MemoryReady, budget: Budget) -> None:
    """At every position stands the earliest arrival among those whose nonce had its turn."""
    picked = make_policy(OrderingRule("fcfs")).pick(ready, budget, 0)
    left = {sender: list(queue) for sender, queue in ready.queues.items()}
    for chosen in picked:
        candidates = [queue[0] for queue in left.values() if queue]
        assert chosen is min(candidates, key=sequence)
        left[chosen.transaction.sender].pop(0)


@given(ready=pools(), share=st.integers(1, 4))
def test_round_robin_gives_nobody_more_than_a_share_before_everybody_had_theirs(ready: MemoryReady, share: int) -> None:
    picked = make_policy(OrderingRule("round_robin", {"share": share})).pick(ready, UNBOUNDED, 0)
    places = dict.fromkeys(ready.queues, 0)
    left = {sender: len(queue) for sender, queue in ready.queues.items()}
    for chosen in picked:
        sender = chosen.transaction.sender
        round_ = places[sender] // share
        assert all(places[other] // share >= round_ for other in places if left[other])
        places[sender] += 1
        left[sender] -= 1


@given(ready=pools(), window_ms=st.integers(1, 8), base_fee=st.integers(0, 2))
def test_priority_fee_takes_the_best_payer_of_the_oldest_window(
    ready: MemoryReady, window_ms: int, base_fee: int
) -> None:
    """At every position stands, of those in their turn, one of the oldest window that pays the sequencer most."""
    priced = MemoryReady(ready.queues, base_fee)
    picked = make_policy(OrderingRule("priority_fee", {"window_ms": window_ms})).pick(priced, UNBOUNDED, 0)
    left = {sender: list(queue) for sender, queue in ready.queues.items()}

    def rank(pooled: PooledTransaction) -> tuple[int, int, int]:
        tip = min(pooled.transaction.max_priority_fee_per_gas, pooled.transaction.max_fee_per_gas - base_fee)
        return pooled.arrival.received_ms // window_ms, -tip, pooled.arrival.sequence

    for chosen in picked:
        assert chosen is min((queue[0] for queue in left.values() if queue), key=rank)
        left[chosen.transaction.sender].pop(0)


def test_a_tip_that_the_fee_cap_does_not_leave_room_for_does_not_count() -> None:
    boaster = PooledTransaction(transaction(1, 0, 21_000, 50, 10), Arrival(0, 0, 0))
    payer = PooledTransaction(transaction(2, 0, 21_000, 50, 9), Arrival(1, 0, 0))
    queues = {p.transaction.sender: [p] for p in (boaster, payer)}
    policy = make_policy(OrderingRule("priority_fee"))
    assert policy.pick(MemoryReady(queues, base_fee_wei=0), UNBOUNDED, 0) == [boaster, payer]
    modest = PooledTransaction(replace(payer.transaction, max_fee_per_gas=30), Arrival(1, 0, 0))  # type: ignore[type-var]
    queues[modest.transaction.sender] = [modest]
    assert policy.pick(MemoryReady(queues, base_fee_wei=19), UNBOUNDED, 0) == [modest, boaster]
