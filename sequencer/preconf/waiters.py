"""Callers who wait for the promise of one transaction each. Bounded: a full book refuses at once."""

import asyncio
from typing import Generic, Protocol, TypeVar

from sequencer.core.errors import SequencerError, Temporary
from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.types import Hash32

_T = TypeVar("_T")
_Awaited = TypeVar("_Awaited", contravariant=True)


class Caller(Protocol[_Awaited]):
    """Who waits. ``expect`` may come first; then a ``confirm`` that is True, or one of ``resolve`` and ``fail``."""

    def expect(self, value: _Awaited) -> None:
        """What it will be, but for the signature, which is not there yet: to be prepared for, and told to nobody."""
        ...

    def confirm(self, signed: SignedFlashblock) -> bool:
        """What was expected has come true with this signature. False for who did not expect it of this flashblock."""
        ...

    def resolve(self, value: _Awaited) -> None:
        """It is this."""
        ...

    def fail(self, error: SequencerError) -> None:
        """It will not come."""
        ...


class Waiters(Generic[_T]):
    """By transaction hash; several callers may wait for the same one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: dict[Hash32, list[Caller[_T]]] = {}
        self._count = 0

    async def wait(self, transaction_hash: Hash32, timeout_s: float) -> _T:
        """What ``resolve`` brings. Raises ``TimeoutError``, or what ``fail`` brings."""
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        caller = _Sleeper(future)
        self.enter(transaction_hash, caller)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            self.leave(transaction_hash, caller)

    @property
    def full(self) -> bool:
        """``enter`` would refuse."""
        return self._count >= self._capacity

    def enter(self, transaction_hash: Hash32, caller: Caller[_T]) -> None:
        """Let ``caller`` wait until it leaves. Raises ``Temporary`` when there is no room."""
        if self.full:
            raise Temporary(f"{self._capacity} callers are waiting for pre-confirmations already")
        self._waiting.setdefault(transaction_hash, []).append(caller)
        self._count += 1

    def leave(self, transaction_hash: Hash32, caller: Caller[_T]) -> None:
        """It waits no more; it must have entered."""
        callers = self._waiting[transaction_hash]
        callers.remove(caller)
        self._count -= 1
        if not callers:
            del self._waiting[transaction_hash]

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def __contains__(self, transaction_hash: Hash32) -> bool:
        return transaction_hash in self._waiting

    def expect(self, transaction_hash: Hash32, value: _T) -> None:
        """Let everyone who waits for it prepare."""
        for caller in tuple(self._waiting.get(transaction_hash, ())):
            caller.expect(value)

    def confirm(self, transaction_hash: Hash32, signed: SignedFlashblock) -> bool:
        """What was expected has come true. Whether that was news enough for everyone who waits for it."""
        return all(caller.confirm(signed) for caller in tuple(self._waiting.get(transaction_hash, ())))

    def resolve(self, transaction_hash: Hash32, value: _T) -> None:
        """Answer everyone who waits for it."""
        for caller in tuple(self._waiting.get(transaction_hash, ())):
            caller.resolve(value)

    def fail(self, transaction_hash: Hash32, error: SequencerError) -> None:
        """Tell everyone who waits for it why it will not come."""
        for caller in tuple(self._waiting.get(transaction_hash, ())):
            caller.fail(error)


class _Sleeper(Generic[_T]):
    """A coroutine that waits."""

    __slots__ = ("_future",)

    def __init__(self, future: "asyncio.Future[_T]") -> None:
        self._future = future

    def expect(self, value: _T) -> None:
        """It has nothing to prepare."""

    def confirm(self, signed: SignedFlashblock) -> bool:  # noqa: ARG002 - it wants the whole
        return False

    def resolve(self, value: _T) -> None:
        if not self._future.done():
            self._future.set_result(value)

    def fail(self, error: SequencerError) -> None:
        if not self._future.done():
            self._future.set_exception(error)
