"""Who waits for a promise is told once, and the book of those who wait is bounded."""

import asyncio

import pytest

from sequencer.core.errors import Reason, Rejected, SequencerError, Temporary
from sequencer.core.flashblock import UNSIGNED, SignedFlashblock
from sequencer.core.types import ZERO_ADDRESS, Hash32
from sequencer.preconf.waiters import Waiters
from tests.unit.preconf.chains import chain

HASH = Hash32(b"\x01" * 32)
SIGNED = SignedFlashblock(chain((1, 0))[0], ZERO_ADDRESS, UNSIGNED)


class Listener:
    """Writes down what it is told, and leaves when it has its answer."""

    def __init__(self, book: Waiters[str], *, prepares: bool) -> None:
        self.told: list[object] = []
        self._book = book
        self._prepares = prepares
        book.enter(HASH, self)

    def expect(self, value: str) -> None:
        self.told.append(("expect", value))

    def confirm(self, signed: SignedFlashblock) -> bool:
        if self._prepares:
            self._end(signed)
        return self._prepares

    def resolve(self, value: str) -> None:
        self._end(value)

    def fail(self, error: SequencerError) -> None:
        self._end(error)

    def _end(self, answer: object) -> None:
        self.told.append(answer)
        self._book.leave(HASH, self)


def test_whoever_prepared_is_told_of_the_signature_alone() -> None:
    book: Waiters[str] = Waiters(9)
    one, two = Listener(book, prepares=True), Listener(book, prepares=True)
    book.expect(HASH, "soon")
    assert book.confirm(HASH, SIGNED)
    assert one.told == two.told == [("expect", "soon"), SIGNED]
    assert len(book) == 0
    assert HASH not in book


@pytest.mark.parametrize("first", [True, False])
def test_everyone_has_one_answer_where_not_everyone_prepared(first: bool) -> None:
    book: Waiters[str] = Waiters(9)
    listeners = [Listener(book, prepares=prepares) for prepares in (first, not first)]
    assert not book.confirm(HASH, SIGNED)
    book.resolve(HASH, "now")
    book.resolve(HASH, "again")
    assert all(len(listener.told) == 1 for listener in listeners)
    assert len(book) == 0


async def test_coroutines_and_listeners_wait_side_by_side() -> None:
    book: Waiters[str] = Waiters(2)
    waiting = asyncio.ensure_future(book.wait(HASH, 60))
    await asyncio.sleep(0)
    listener = Listener(book, prepares=True)
    assert book.full
    with pytest.raises(Temporary):
        await book.wait(HASH, 60)
    assert not book.confirm(HASH, SIGNED)
    book.resolve(HASH, "now")
    assert await waiting == "now"
    assert len(listener.told) == 1
    assert len(book) == 0


async def test_failure_reaches_everyone() -> None:
    book: Waiters[str] = Waiters(2)
    waiting = asyncio.ensure_future(book.wait(HASH, 60))
    await asyncio.sleep(0)
    listener = Listener(book, prepares=False)
    refusal = Rejected(Reason.REPLACED)
    book.fail(HASH, refusal)
    with pytest.raises(Rejected):
        await waiting
    assert listener.told == [refusal]
    assert len(book) == 0
