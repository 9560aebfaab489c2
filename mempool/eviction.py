"""What eviction chooses from: senders in the order of a number, such as how much they hold or what they pay.

Told of every change as it happens, so that finding the first or last sender never takes a search, and there is
never anything to clear up: admission into a full pool must cost no more than into an empty one.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from mempool.sender_queue import SenderQueue

NOT_RANKED = -1
"""The number of a sender that is not in a ranking."""


class Ranking:
    """Senders by a number; among equals, whoever reached it first."""

    def __init__(self) -> None:
        self._senders: dict[int, dict[SenderQueue, None]] = {}
        self._numbers: list[int] = []

    def move(self, queue: SenderQueue, before: int, after: int) -> None:
        """The sender's number is ``after`` instead of ``before``; either may be ``NOT_RANKED``."""
        if before != NOT_RANKED:
            equals = self._senders[before]
            del equals[queue]
            if not equals:
                del self._senders[before]
                del self._numbers[bisect_left(self._numbers, before)]
        if after != NOT_RANKED:
            found = self._senders.get(after)
            if found is None:
                found = self._senders[after] = {}
                insort(self._numbers, after)
            found[queue] = None

    def highest(self) -> SenderQueue | None:
        """The sender with the highest number."""
        return next(iter(self._senders[self._numbers[-1]])) if self._numbers else None

    def lowest(self) -> tuple[int, SenderQueue] | None:
        """The lowest number, and the sender with it."""
        if not self._numbers:
            return None
        number = self._numbers[0]
        return number, next(iter(self._senders[number]))

    def highest_first(self) -> Iterator[SenderQueue]:
        """All senders."""
        for number in reversed(self._numbers):
            yield from self._senders[number]
