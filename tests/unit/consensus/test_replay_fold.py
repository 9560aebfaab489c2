"""Folding the log back into blocks, and the grammar that every violation is measured by."""

import pytest

from sequencer.consensus.replay import LogFold, LoggedBlock
from sequencer.core.entries import BatchClosed, Entry
from sequencer.core.errors import Fatal
from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_HASH
from tests.unit.consensus.log_entries import (
    GENESIS,
    block_open,
    block_seal,
    chain,
    flashblock,
    takeover,
)

SEAL1 = block_seal(1)
FB = flashblock(1, 0, GENESIS)
FB_HASH = FB.flashblock.struct_hash


def fold(entries: list[Entry], start: int = 0) -> tuple[LogFold, list[LoggedBlock]]:
    folded = LogFold(last_flashblock_hash=GENESIS if start == 0 else None)
    blocks = [block for i, entry in enumerate(entries, start) if (block := folded.feed(i, entry)) is not None]
    return folded, blocks


def test_blocks_come_out_as_they_were_written() -> None:
    entries = chain(9, term=3)
    folded, blocks = fold(entries)
    assert [block.attributes.number for block in blocks] == list(range(1, 10))
    assert [len(block.flashblocks) for block in blocks] == [n % 3 for n in range(1, 10)]
    for block in blocks:
        inside = entries[block.first_log_position : block.last_log_position + 1]
        assert inside[0] == block_open(block.attributes.number, block.attributes.parent_hash, 3)
        assert inside[1:-1] == list(block.flashblocks)
        assert inside[-1] == block.seal
    assert folded.open_block is None
    assert (folded.term, folded.epoch, folded.next_position) == (3, 0, len(entries))
    assert folded.last_seal == blocks[-1].seal
    assert folded.last_flashblock == blocks[-2].flashblocks[-1].flashblock
    assert folded.last_flashblock_hash == blocks[-2].flashblocks[-1].flashblock.struct_hash


def test_the_open_block_is_kept() -> None:
    folded, _ = fold([block_open(1), FB])
    assert folded.open_block == LoggedBlock(block_open(1).attributes, (FB,), None, 0, 1)
    assert folded.last_flashblock_hash == FB_HASH


def test_a_takeover_lets_the_open_block_be_sealed_only() -> None:
    folded, blocks = fold([block_open(1), FB, takeover(4), SEAL1])
    assert folded.term == 4
    assert blocks[0].flashblocks == (FB,)
    assert blocks[0].last_log_position == 3


def test_batches_are_collected_wherever_they_stand() -> None:
    first, second = BatchClosed(0, 1, 1, ZERO_HASH), BatchClosed(1, 2, 2, ZERO_HASH)
    folded, _ = fold([block_open(1), SEAL1, first, block_open(2, SEAL1.hash), block_seal(2), second])
    assert folded.batches == (first, second)


def test_a_log_that_was_shortened_begins_inside_a_block() -> None:
    entries = chain(9)
    for start in range(1, len(entries)):
        folded, blocks = fold(entries[start:], start)
        assert blocks == [block for block in fold(entries)[1] if block.first_log_position >= start]
        assert folded.next_position == len(entries)


def test_a_reset_goes_on_from_the_block_that_l1_gave() -> None:
    derived = keccak256(b"derived")
    again = flashblock(2, 0, derived, reset=1)
    folded, blocks = fold(
        [block_open(1), FB, SEAL1, block_open(2, SEAL1.hash), block_seal(2), block_open(2, derived, reset=1), again]
    )
    assert len(blocks) == 2
    assert folded.open_block is not None
    assert folded.open_block.flashblocks == (again,)


@pytest.mark.parametrize(
    ("entries", "position", "words"),
    [
        ([FB], 0, "not open"),
        ([SEAL1], 0, "not open"),
        ([block_open(1), block_open(2)], 1, "inside block 1"),
        ([block_open(1), block_seal(2)], 1, "sealed while 1 is open"),
        ([block_open(1), SEAL1, SEAL1], 2, "not open"),
        ([block_open(1), SEAL1, block_open(3, SEAL1.hash)], 2, "does not follow"),
        ([block_open(1), SEAL1, block_open(2, GENESIS)], 2, "does not follow"),
        ([block_open(1), flashblock(2, 0, GENESIS)], 1, "block 2 where 1"),
        ([block_open(1), flashblock(1, 1, GENESIS)], 1, "index 1 where 0"),
        ([block_open(1), FB, flashblock(1, 1, FB_HASH)], 2, "first position 0 where 1"),
        ([block_open(1), FB, flashblock(1, 1, GENESIS, first_position=1)], 2, "parent"),
        ([block_open(1), flashblock(1, 0, ZERO_HASH)], 1, "parent"),
        ([block_open(1), flashblock(1, 0, GENESIS, term=1)], 1, "term 1 where 0"),
        ([block_open(1), flashblock(1, 0, GENESIS, count=0)], 1, "without transactions"),
        ([block_open(1), takeover(1), FB], 2, "after the takeover"),
        ([takeover(2), takeover(2)], 1, "takeover of term 2"),
        ([takeover(2), block_open(1, term=1)], 1, "of term 1"),
        ([BatchClosed(0, 2, 1, ZERO_HASH)], 0, "before it begins"),
        ([block_open(1), SEAL1, BatchClosed(0, 1, 2, ZERO_HASH)], 2, "not sealed"),
        ([BatchClosed(0, 1, 2, ZERO_HASH), BatchClosed(2, 3, 4, ZERO_HASH)], 1, "after batch 0"),
        ([BatchClosed(0, 1, 2, ZERO_HASH), BatchClosed(1, 4, 4, ZERO_HASH)], 1, "after batch 0"),
    ],
)
def test_the_first_violation_is_named(entries: list[Entry], position: int, words: str) -> None:
    with pytest.raises(Fatal, match=f"position {position}: .*{words}"):
        fold(entries)


def test_missing_positions_are_refused() -> None:
    folded = LogFold()
    folded.feed(5, takeover(1))
    with pytest.raises(Fatal, match="entries are missing"):
        folded.feed(7, takeover(2))
