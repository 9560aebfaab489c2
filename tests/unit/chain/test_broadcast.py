"""Every subscriber hears every event in order, and one that sleeps harms nobody but itself."""

import asyncio

import pytest

from sequencer.channel import Broadcast
from sequencer.core.errors import SlowSubscriber


async def test_events_come_in_order_and_only_from_the_subscription_on() -> None:
    broadcast: Broadcast[int] = Broadcast(10)
    broadcast.publish(0)
    with broadcast.subscribe() as events:
        broadcast.publish(1)
        broadcast.publish(2)
        assert [await events.next(), await events.next()] == [1, 2]


async def test_waiting_ends_with_the_next_event() -> None:
    broadcast: Broadcast[int] = Broadcast(10)
    with broadcast.subscribe() as events:
        waiting = asyncio.ensure_future(events.next())
        await asyncio.sleep(0)
        broadcast.publish(7)
        assert await waiting == 7


async def test_a_slow_subscriber_gets_what_was_kept_and_then_the_truth() -> None:
    broadcast: Broadcast[int] = Broadcast(2)
    with broadcast.subscribe() as slow, broadcast.subscribe() as quick:
        heard = []
        for serial in range(4):
            broadcast.publish(serial)
            heard.append(await quick.next())
        assert heard == [0, 1, 2, 3]
        assert [await slow.next(), await slow.next()] == [0, 1]
        with pytest.raises(SlowSubscriber):
            await slow.next()
