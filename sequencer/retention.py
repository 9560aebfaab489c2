"""Which part of the sequence log may go: blocks that are final on DA and durable in store and state."""

from collections import deque
from collections.abc import Iterable


class Retention:
    """Remembers where each block ends in the log. Pure; one entry a block until it is final."""

    def __init__(self, seal_positions: Iterable[tuple[int, int]]) -> None:
        self._seals = deque(seal_positions)

    def sealed(self, number: int, position: int) -> None:
        """Block ``number`` ends at log position ``position``."""
        self._seals.append((number, position))

    def final(self, number: int) -> int | None:
        """Blocks up to ``number`` are final: everything before the returned position may go."""
        position = None
        while self._seals and self._seals[0][0] <= number:
            position = self._seals.popleft()[1] + 1
        return position
