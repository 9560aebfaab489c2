"""When batches close, what they hold, and that the log's decision can always be cut again."""

from dataclasses import replace

import pytest

from da import limits
from da.batcher import Batcher, BatchTip
from da.blocks import BatchBlock
from da.config import BatcherConfig
from sequencer.core.errors import ConfigError, Fatal
from tests.unit.da.chains import GENESIS, Shape, make_blocks

TIP = BatchTip.at_genesis(GENESIS.hash)
CONFIG = BatcherConfig(max_age_ms=2000, min_age_ms=2000)


def batcher(blocks: list[BatchBlock], config: BatcherConfig = CONFIG, every_ms: int = 100) -> Batcher:
    made = Batcher(config, TIP)
    for i, block in enumerate(blocks):
        made.add(block, 1000 + i * every_ms)
    return made


def test_nothing_is_due_without_blocks() -> None:
    empty = Batcher(CONFIG, TIP)
    assert (empty.due(10**9), empty.next_due_ms(), empty.unposted.oldest_sealed_ms) == (False, None, None)
    with pytest.raises(Fatal):
        empty.cut(0, 1)


def test_age_counts_from_the_first_block_even_if_it_is_empty() -> None:
    made = batcher(make_blocks(3, shape=Shape(flashblocks=0)))
    assert made.next_due_ms() == 3000
    assert (made.due(2999), made.due(3000)) == (False, True)


def test_size_and_count_close_at_once() -> None:
    blocks = make_blocks(4, shape=Shape())
    assert batcher(blocks, replace(CONFIG, max_blocks=4)).due(1000)
    assert batcher(blocks, replace(CONFIG, target_body_bytes=1000)).due(1000)
    assert not batcher(blocks).due(1000)


@pytest.mark.parametrize(("transaction_bytes", "due_ms"), [(20, 11_000), (2000, 1500)], ids=["small", "large"])
def test_between_the_ages_a_batch_closes_once_waiting_hardly_makes_it_cheaper(
    transaction_bytes: int, due_ms: int
) -> None:
    config = BatcherConfig(min_age_ms=500, max_age_ms=10_000, fixed_cost_bytes=500, overhead_share_percent=10)
    made = batcher(make_blocks(1, shape=Shape(1, 20, transaction_bytes)), config)
    assert (made.unposted.size_bytes >= 4500) == (due_ms == 1500)
    assert made.next_due_ms() == due_ms


def test_the_same_blocks_give_the_same_batch_and_cutting_changes_nothing() -> None:
    made = batcher(make_blocks(6, seed=2))
    first, again = made.cut(0, 1), made.cut(0, 1)
    assert first == again == batcher(make_blocks(6, seed=2)).cut(0, 1)
    assert made.unposted.blocks == 6


def test_batches_follow_each_other() -> None:
    made = batcher(make_blocks(7), replace(CONFIG, max_blocks=3))
    headers = []
    while made.unposted.blocks:
        headers.append(made.cut(0, 1).header)
        made.advance(headers[-1])
    assert [(h.sequence, h.first_block, h.last_block) for h in headers] == [(1, 1, 3), (2, 4, 6), (3, 7, 7)]
    assert [h.previous_batch for h in headers] == [GENESIS.hash, headers[0].struct_hash, headers[1].struct_hash]
    assert made.unposted.size_bytes == 0


def test_a_block_larger_than_the_target_is_a_batch_by_itself() -> None:
    made = batcher(make_blocks(3, shape=Shape()), replace(CONFIG, target_body_bytes=1))
    assert made.cut(0, 1).header.last_block == 1


def test_a_batch_never_spans_a_reset() -> None:
    blocks = make_blocks(3, shape=Shape(flashblocks=0))
    blocks[2] = replace(blocks[2], attributes=replace(blocks[2].attributes, reset=1))
    made = batcher(blocks)
    first = made.cut(0, 1).header
    made.advance(first)
    assert (first.last_block, first.reset, made.cut(0, 1).header.reset) == (2, 0, 1)


def test_the_batch_that_the_log_decided_is_cut_again_whatever_came_since() -> None:
    blocks = make_blocks(8)
    closed = batcher(blocks[:5]).cut(0, 1)
    restarted = batcher(blocks)
    assert restarted.cut_exactly(closed.log_entry, 0, 1) == closed
    assert restarted.cut(0, 1) != closed


@pytest.mark.parametrize("change", [{"sequence": 2}, {"first_block": 2}, {"last_block": 99}, {"last_block": 0}])
def test_a_log_entry_that_does_not_follow_is_refused(change: dict[str, int]) -> None:
    made = batcher(make_blocks(5))
    with pytest.raises(Fatal, match="follow"):
        made.cut_exactly(replace(made.cut(0, 1).log_entry, **change), 0, 1)


def test_a_log_entry_with_other_contents_is_refused() -> None:
    made = batcher(make_blocks(5))
    with pytest.raises(Fatal, match="dataHash"):
        made.cut_exactly(replace(made.cut(0, 1).log_entry, data_hash=GENESIS.hash), 0, 1)


def test_a_gap_or_a_foreign_batch_is_refused() -> None:
    blocks = make_blocks(3)
    made = batcher(blocks[:1])
    with pytest.raises(Fatal, match="follows"):
        made.add(blocks[2], 0)
    with pytest.raises(Fatal, match="extend"):
        made.advance(replace(made.cut(0, 1).header, previous_batch=bytes(32)))


def test_a_block_larger_than_any_batch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BLOCK_TRANSACTIONS", 2)
    with pytest.raises(Fatal, match="larger"):
        batcher(make_blocks(1, shape=Shape(1, 3)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_age_ms": 3, "max_age_ms": 2},
        {"max_blocks": 0},
        {"target_body_bytes": 0},
        {"target_body_bytes": 2**40},
        {"target_body_bytes": 2**24 + 1},
        {"overhead_share_percent": 0},
    ],
)
def test_wrong_settings_name_their_key(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        BatcherConfig(**wrong)
