"""Flashblocks cover a block without gap or overlap, chain to each other, and keep to their bounds."""

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from sequencer.core import merkle
from sequencer.core.flashblock import order_leaves
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import ExecutedOutcome, outcome
from sequencer.core.transaction import Arrival, PooledTransaction, RecoveredTransaction
from sequencer.core.types import ZERO_HASH, Address, Hash32
from sequencer.payload.builder import INLINE_TRANSACTIONS, BlockDraft, runs_at_once
from sequencer.payload.config import PayloadConfig
from sequencer.payload.pacing import Pace
from tests.unit.payload.attributes import ATTRIBUTES

_serial = count()


def pooled(size: int = 100, received_ms: int = 0) -> PooledTransaction:
    raw = next(_serial).to_bytes(8, "big").ljust(size, b"\0")
    transaction = RecoveredTransaction(
        raw=raw,
        hash=keccak256(raw),
        signing_hash=ZERO_HASH,
        type=2,
        chain_id=1,
        nonce=0,
        max_priority_fee_per_gas=0,
        max_fee_per_gas=0,
        gas_limit=21000,
        to=None,
        value=0,
        data=b"",
        y_parity=0,
        r=1,
        s=1,
        sender=Address(bytes(20)),
    )
    return PooledTransaction(transaction, Arrival(next(_serial), received_ms, 0))


def draft(**config: int) -> BlockDraft:
    return BlockDraft(ATTRIBUTES, PayloadConfig(**config), promise_window_s=60, parent=Hash32(b"p" * 32))


def outcomes(*cumulative: int) -> list[ExecutedOutcome]:
    return [outcome(2, True, 21000, gas, None, ()) for gas in cumulative]


def test_flashblocks_are_a_chain_without_gaps() -> None:
    block = draft()
    first_two, third = [pooled(), pooled(received_ms=900)], [pooled()]
    block.add(first_two, outcomes(21000, 42000), now_ms=1000)
    one = block.close(1005).entry
    block.add(third, outcomes(63000), now_ms=1006)
    two = block.close(1001).entry
    assert (one.flashblock.index, one.flashblock.first_position, one.flashblock.transaction_count) == (0, 0, 2)
    assert (two.flashblock.index, two.flashblock.first_position, two.flashblock.transaction_count) == (1, 2, 1)
    assert one.flashblock.parent == b"p" * 32
    assert two.flashblock.parent == one.flashblock.struct_hash == one.flashblock.struct_hash
    assert block.parent == two.flashblock.struct_hash
    assert two.flashblock.timestamp_ms == 1005, "time never runs backwards"
    assert one.flashblock.post_by == 1 + 60
    assert [a.age_ms for a in one.arrivals] == [1005, 105]
    hashes = [p.transaction.hash for p in third]
    assert two.flashblock.order_root == merkle.root(order_leaves(2, hashes))
    assert one.transactions == tuple(p.transaction.raw for p in first_two)


def test_the_budget_shrinks_by_what_went_in() -> None:
    block = draft(flashblock_max_transactions=3, flashblock_max_size_bytes=1000)
    block.add([pooled(400)], outcomes(30_000), now_ms=0)
    budget = block.budget(chunk=10)
    assert (budget.gas, budget.size_bytes, budget.count) == (70_000, 600, 2)
    assert block.budget(chunk=1).count == 1


def test_a_flashblock_is_due_by_age_count_and_size() -> None:
    by_age = draft(flashblock_interval_ms=10)
    assert not by_age.close_due(10**9), "nothing to close"
    by_age.add([pooled()], outcomes(21000), now_ms=100)
    assert not by_age.close_due(109)
    assert by_age.close_due(110)
    by_count = draft(flashblock_max_transactions=1)
    by_count.add([pooled()], outcomes(21000), now_ms=100)
    assert by_count.close_due(100)
    by_size = draft(flashblock_max_size_bytes=100)
    by_size.add([pooled(100)], outcomes(21000), now_ms=100)
    assert by_size.close_due(100)


def test_a_block_is_full_when_no_transaction_can_fit() -> None:
    block = draft()
    block.add([pooled()], outcomes(79_000), now_ms=0)
    assert not block.block_full
    block.add([pooled()], outcomes(79_001), now_ms=0)
    assert block.block_full


def test_a_block_stays_within_what_a_batch_can_hold() -> None:
    block = draft(block_max_transactions=2, block_max_size_bytes=131_072, block_max_flashblocks=2)
    block.add([pooled(131_000)], outcomes(1), now_ms=0)
    assert (block.budget(10).count, block.budget(10).size_bytes) == (1, 72)
    assert not block.block_full
    block.close(0)
    assert block.block_full, "one flashblock is left for what is being executed"
    by_count = draft(block_max_transactions=1)
    by_count.add([pooled()], outcomes(1), now_ms=0)
    assert by_count.block_full


def test_pace_slows_at_once_and_speeds_up_by_and_by() -> None:
    pace = Pace(target_ms=10)
    assert pace.chunk() == 10
    pace.measured(10, 50_000)
    assert pace.chunk() == 3
    for _ in range(50):
        pace.measured(1000, 3_000)
    assert pace.chunk() > 1000
    pace.measured(1, 10**9)
    assert pace.chunk() == 1


@pytest.mark.parametrize(
    ("gas_limits", "at_once"),
    [
        ([], True),
        ([21_000] * INLINE_TRANSACTIONS, True),
        ([21_000] * (INLINE_TRANSACTIONS + 1), False),
        ([60_000, 60_000], True),
        ([60_000, 60_000, 60_000], False),
        ([30_000_000], False),
    ],
)
def test_only_what_is_over_at_once_runs_at_once(gas_limits: list[int], at_once: bool) -> None:
    transactions: Any = [SimpleNamespace(gas_limit=gas_limit) for gas_limit in gas_limits]
    assert runs_at_once(transactions, inline_gas=100_000) is at_once
