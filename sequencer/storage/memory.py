"""The storage port's in-memory twin."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping


class MemoryStorage:
    """A ``Storage`` that lasts as long as the object."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] | None = []

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        return self._rows.get(key)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < stop`` in key order, or from the end, as they were when asked for."""
        if self._keys is None:
            self._keys = sorted(self._rows)
        keys = self._keys[bisect_left(self._keys, start) : bisect_left(self._keys, stop)]
        if reverse:
            keys.reverse()
        return iter([(key, self._rows[key]) for key in keys])

    def write(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        """Deletes first, then puts."""
        for key in deletes:
            self._rows.pop(key, None)
        self._rows.update(puts)
        self._keys = None

    def flush(self) -> None:
        """Nothing outlives the object."""

    def close(self) -> None:
        """Nothing to release."""
