"""A bounded memory of what was used last."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Keeps values whose weights sum to at most ``limit``; the least recently used go first. For any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, which then counts as used."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Remember ``value``, unless it is heavier than everything together may be."""
        with self._lock:
            self._forget(key)
            if weight > self._limit:
                return
            self._values[key] = (value, weight)
            self._weight += weight
            while self._weight > self._limit:
                _, (_, freed) = self._values.popitem(last=False)
                self._weight -= freed

    def drop(self, key: K) -> None:
        """Forget one value."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: K) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self._weight -= found[1]

    def __len__(self) -> int:
        return len(self._values)
