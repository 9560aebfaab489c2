"""Pre-confirmed transactions are found at their places, and made the same however they are asked for."""

from typing import Any, cast

import pytest

from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.flashblock_codec import PythonFlashblockCodec
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import Log, outcome
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Hash32, Signature
from sequencer.core.views import FlashblockPublished, Preconfirmed
from sequencer.live import LiveBlocks
from sequencer.payload.builder import BlockDraft
from sequencer.payload.config import PayloadConfig
from tests.unit.payload.attributes import ATTRIBUTES

LOG = Log(ZERO_ADDRESS, (), b"")


class Named:
    """As much of a transaction as a place needs."""

    def __init__(self, name: bytes) -> None:
        self.raw = name
        self.hash = Hash32(keccak256(name))


def hash_of(name: bytes) -> Hash32:
    return Hash32(keccak256(name))


@pytest.fixture
def live() -> LiveBlocks:
    blocks = LiveBlocks(Domain(1, ZERO_ADDRESS, ZERO_HASH), PythonFlashblockCodec(), ZERO_ADDRESS)
    blocks.opened(ATTRIBUTES)
    return blocks


@pytest.fixture
def published(live: LiveBlocks) -> list[FlashblockPublished]:
    """Two flashblocks: of a and b, with two logs and none, and of c and d, with one each."""
    draft = BlockDraft(ATTRIBUTES, PayloadConfig(), promise_window_s=60, parent=ZERO_HASH)
    events, gas = [], 0
    for names in ((b"a", b"b"), (b"c", b"d")):
        taken = [PooledTransaction(cast("Any", Named(name)), Arrival(0, 0, 0)) for name in names]
        results = []
        for name in names:
            gas += 21_000
            results.append(outcome(2, True, 21_000, gas, None, {b"a": (LOG, LOG), b"b": ()}.get(name, (LOG,))))
        draft.add(taken, results, now_ms=1000)
        closed = draft.close(1000)
        signed = SignedFlashblock(closed.entry.flashblock, ZERO_ADDRESS, Signature(bytes(65)))
        expected = [live.expected(closed, index) for index in range(len(names))]
        events.append(live.preconfirmed(signed, closed))
        assert expected == [
            Preconfirmed(cast("Any", live.inclusion(hash_of(name))), cast("Any", live.preconfirmation(hash_of(name))))
            for name in names
        ]
        assert live.expected(closed, 0) is None  # not any more
    return events


@pytest.mark.parametrize(
    ("name", "position", "first_log_index"), [(b"d", 3, 3), (b"a", 0, 0), (b"c", 2, 2), (b"b", 1, 2)]
)
def test_a_transaction_is_found_at_its_place(
    live: LiveBlocks, published: list[FlashblockPublished], name: bytes, position: int, first_log_index: int
) -> None:
    found = live.inclusion(hash_of(name))
    assert found is not None
    assert (found.position, found.first_log_index) == (position, first_log_index)
    assert (found.block, found.transaction.raw) == (ATTRIBUTES, name)
    assert found.outcome.cumulative_gas_used == 21_000 * (position + 1)
    assert found in published[position // 2].inclusions
    promise = live.preconfirmation(hash_of(name))
    assert promise is not None
    assert promise.position == position


def test_what_is_published_are_its_transactions_in_order(published: list[FlashblockPublished]) -> None:
    first, second = (event.inclusions for event in published)
    assert [item.transaction.raw for item in first] == [b"a", b"b"]
    assert [item.transaction.raw for item in second] == [b"c", b"d"]
    assert len(second) == 2
    assert second[-1] == second[1] == second[1:][0]
    with pytest.raises(IndexError):
        first[2]


def test_of_others_nothing_is_known(live: LiveBlocks, published: list[FlashblockPublished]) -> None:
    assert published
    assert live.inclusion(hash_of(b"e")) is None
    assert live.preconfirmation(hash_of(b"e")) is None


def test_the_open_block_holds_all_of_them(live: LiveBlocks, published: list[FlashblockPublished]) -> None:
    block = live.open_block()
    assert published
    assert block is not None
    assert [transaction.raw for transaction in block.transactions] == [b"a", b"b", b"c", b"d"]
    assert [result.cumulative_gas_used for result in block.outcomes] == [21_000, 42_000, 63_000, 84_000]
