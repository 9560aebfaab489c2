"""Callers who wait for the promise of one transaction each. Bounded: a full book refuses at once."""

import asyncio
from typing import Generic, TypeVar

from sequencer.core.errors import SequencerError, Temporary
from sequencer.core.types import Hash32

_T = TypeVar("_T")


class Waiters(Generic[_T]):
    """By transaction hash; several callers may wait for the same one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: dict[Hash32, list[asyncio.Future[_T]]] = {}
        self._count = 0

    async def wait(self, transaction_hash: Hash32, timeout_s: float) -> _T:
        """What ``resolve`` brings. Raises ``TimeoutError``, or what ``fail`` brings."""
        if self._count >= self._capacity:
            raise Temporary(f"{self._capacity} callers are waiting for pre-confirmations already")
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(transaction_hash, []).append(future)
        self._count += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            self._forget(transaction_hash, future)

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def __contains__(self, transaction_hash: Hash32) -> bool:
        return transaction_hash in self._waiting

    def resolve(self, transaction_hash: Hash32, value: _T) -> None:
        """Answer everyone who waits for it."""
        for future in self._waiting.get(transaction_hash, ()):
            if not future.done():
                future.set_result(value)

    def fail(self, transaction_hash: Hash32, error: SequencerError) -> None:
        """Tell everyone who waits for it why it will not come."""
        for future in self._waiting.get(transaction_hash, ()):
            if not future.done():
                future.set_exception(error)

    def _forget(self, transaction_hash: Hash32, future: asyncio.Future[_T]) -> None:
        futures = self._waiting[transaction_hash]
        futures.remove(future)
        self._count -= 1
        if not futures:
            del self._waiting[transaction_hash]
