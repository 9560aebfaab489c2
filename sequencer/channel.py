"""Bounded hand-over between the stages of the pipeline.

``Broadcast`` tells every subscriber every event in order. It never waits for anyone: a subscriber that
falls ``capacity`` events behind is cut off and told so, the others lose nothing.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from sequencer.core.errors import SlowSubscriber

_T = TypeVar("_T")


class Subscription(Generic[_T]):
    """One subscriber's events, oldest first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: deque[_T] = deque()
        self._arrived = asyncio.Event()
        self._overflowed = False

    def push(self, event: _T) -> None:
        """Called by the broadcast."""
        if len(self._events) >= self._capacity:
            self._overflowed = True
        if not self._overflowed:
            self._events.append(event)
        self._arrived.set()

    async def next(self) -> _T:
        """The next event. Raises ``SlowSubscriber`` after the last one that was kept."""
        while not self._events:
            if self._overflowed:
                raise SlowSubscriber(f"more than {self._capacity} events behind")
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()


class Broadcast(Generic[_T]):
    """One sender, any number of subscribers."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._subscriptions: set[Subscription[_T]] = set()

    def publish(self, event: _T) -> None:
        """Hand ``event`` to everyone who listens now."""
        for subscription in self._subscriptions:
            subscription.push(event)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription[_T]]:
        """Every event from now until the block is left."""
        subscription: Subscription[_T] = Subscription(self._capacity)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
