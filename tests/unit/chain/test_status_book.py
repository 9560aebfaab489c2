"""When each transaction reached what: by transaction, by flashblock, and by block."""

from dataclasses import replace

import pytest

from sequencer.core.types import Hash32
from sequencer.core.views import Status
from sequencer.status import StatusBook
from tests.unit.preconf.chains import flashblock

H = Hash32(b"h" * 32)


def told(book: StatusBook, block: int, *runs: tuple[int, int, int]) -> None:
    """Flashblocks of one block: first position, count, time."""
    for index, (first, count, at_ms) in enumerate(runs):
        struct = flashblock(block, index)
        book.preconfirmed(replace(struct, first_position=first, transaction_count=count, timestamp_ms=at_ms))


@pytest.mark.parametrize(("position", "at_ms"), [(0, 10), (2, 10), (3, 20), (4, 30), (9, 30), (10, None)])
def test_a_promise_has_the_time_of_its_flashblock(position: int, at_ms: int | None) -> None:
    book = StatusBook()
    told(book, 7, (0, 3, 10), (3, 1, 20), (4, 6, 30))
    assert book.times(H, (7, position)).get(Status.PRECONFIRMED) == at_ms


def test_times_come_together() -> None:
    book = StatusBook()
    book.transactions.reached(H, Status.RECEIVED, 5)
    told(book, 7, (0, 1, 10))
    book.blocks.reached(7, Status.SEALED, 20)
    assert book.times(H, None) == {Status.RECEIVED: 5}
    assert book.times(H, (7, 0)) == {Status.RECEIVED: 5, Status.PRECONFIRMED: 10, Status.SEALED: 20}
    assert book.times(H, (8, 0)) == {Status.RECEIVED: 5}


def test_the_arrival_is_told_by_whoever_keeps_it() -> None:
    book = StatusBook()
    assert book.times(H, None, 5) == {Status.RECEIVED: 5}
    book.transactions.reached(H, Status.QUEUED, 3)
    assert book.times(H, None, 5) == {Status.QUEUED: 3, Status.RECEIVED: 5}
    assert book.times(H, None) == {Status.QUEUED: 3}


def test_old_blocks_are_forgotten() -> None:
    book = StatusBook(blocks=2)
    for block in (1, 2, 3):
        told(book, block, (0, 1, block))
    assert book.times(H, (1, 0)) == {}
    assert book.times(H, (2, 0)) == {Status.PRECONFIRMED: 2}
