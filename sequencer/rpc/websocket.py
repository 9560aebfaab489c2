"""One WebSocket: reads requests, sends responses and notifications, and gives up on a reader that is too slow.

Everything that goes out passes one bounded queue, so responses and notifications keep their order and
nobody else waits for this client. When the queue is full the client is dropped, with the reason in the
close frame.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from sequencer.core.encoding import quantity
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.rpc.errors import Errors, RpcError, too_many_requests
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.subscription_kinds import From, Wanted, start_of
from sequencer.rpc.subscriptions import Progress, Subscriber, SubscriptionHub

_CLOSE_TIMEOUT_S: Final = 2.0
TOO_SLOW: Final = "too slow: more messages are waiting than the server keeps"
STOPPING: Final = "the server is stopping"


class Outbox:
    """Messages on their way out, bounded in number and bytes."""

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._messages: deque[bytes] = deque()
        self._size_bytes = 0
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self.over = asyncio.Event()
        """Set once the connection must end; ``reason`` and ``code`` say why."""
        self.reason = ""
        self.code = WSCloseCode.OK

    def put(self, message: bytes) -> None:
        """Queue a message; without room, everything queued is given up and the connection ends."""
        if self.over.is_set():
            return
        if len(self._messages) >= self._limit or self._size_bytes + len(message) > self._limit_bytes:
            self.end(WSCloseCode.TRY_AGAIN_LATER, TOO_SLOW)
            return
        self._messages.append(message)
        self._size_bytes += len(message)
        self._changed.set()

    def end(self, code: WSCloseCode, reason: str) -> None:
        """Give up everything queued and end the connection."""
        if not self.over.is_set():
            self.code, self.reason = code, reason
            self._messages.clear()
            self.over.set()
            self._taken.set()

    async def take(self) -> bytes:
        """The next message."""
        while not self._messages:
            self._changed.clear()
            await self._changed.wait()
        message = self._messages.popleft()
        self._size_bytes -= len(message)
        self._taken.set()
        return message

    async def room(self) -> bool:
        """Wait until at least half of it is free. False when the connection ends."""
        while not self.over.is_set():
            if len(self._messages) <= self._limit // 2 and self._size_bytes <= self._limit_bytes // 2:
                return True
            self._taken.clear()
            await self._taken.wait()
        return False


class WebSocketSession:
    """The life of one WebSocket, from upgrade to close. ``take`` charges its client for what a request costs, and
    says how many seconds it must wait if that is too much."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        chain: ServedChain,
        dispatcher: Dispatcher,
        hub: SubscriptionHub,
        metrics: RpcMetrics,
        take: Callable[[int], float],
    ) -> None:
        config: RpcConfig = chain.config
        self._socket = socket
        self._chain = chain
        self._dispatcher = dispatcher
        self._hub = hub
        self._metrics = metrics
        self._take = take
        self._outbox = Outbox(config.ws_queue_limit, config.ws_queue_limit_bytes)
        self._in_flight = asyncio.Semaphore(config.ws_in_flight_limit)
        self._subscribers: dict[str, Subscriber] = {}
        self._starting: list[Subscriber] = []

    async def run(self) -> None:
        """Serve until either side ends it."""
        self._metrics.websockets.inc()
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write())
                ender = group.create_task(self._end_when_over(writer))
                await self._read(group)
                ender.cancel()
                writer.cancel()
                self._outbox.end(WSCloseCode.OK, "")
        finally:
            self._end_subscriptions()
            self._metrics.websockets.dec()

    def stop(self) -> None:
        """Say goodbye because the server stops."""
        self._outbox.end(WSCloseCode.GOING_AWAY, STOPPING)

    def subscribe(self, wanted: Wanted) -> str:
        """Begin a subscription; its notifications start right after the response that carries its id."""
        limit = self._chain.config.ws_subscription_limit
        if len(self._subscribers) >= limit:
            raise RpcError(Errors.LIMIT_EXCEEDED, f"too many subscriptions: at most {limit}")
        subscription_id = quantity(self._chain.new_id())

        async def room() -> bool:
            return await self._outbox.room() and subscription_id in self._subscribers

        start = start_of(wanted)
        subscriber = Subscriber(
            subscription_id, wanted, self._outbox.put, self._drop, room, Progress(start or From(0, 0))
        )
        self._subscribers[subscription_id] = subscriber
        self._starting.append(subscriber)
        return subscriber.id

    def unsubscribe(self, subscription_id: str) -> bool:
        """End a subscription."""
        subscriber = self._subscribers.pop(subscription_id, None)
        if subscriber is None:
            raise RpcError(Errors.SERVER, "subscription not found")
        if subscriber in self._starting:
            self._starting.remove(subscriber)
        self._hub.remove(subscriber)
        return True

    async def _read(self, group: asyncio.TaskGroup) -> None:
        async for message in self._socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            await self._in_flight.acquire()
            group.create_task(self._answer(message.data))

    async def _answer(self, body: str | bytes) -> None:
        try:
            parsed = self._dispatcher.read(body)
            wait_s = self._take(self._dispatcher.cost(parsed))
            if wait_s:
                response = self._dispatcher.refuse(parsed, too_many_requests(wait_s))
            else:
                now = self._dispatcher.answer_now(parsed)
                response = await self._dispatcher.answer(parsed, self) if now is None else now
        finally:
            self._in_flight.release()
        if response:
            self._outbox.put(response)
        starting, self._starting = self._starting, []
        if not self._outbox.over.is_set():
            for subscriber in starting:
                if start_of(subscriber.wanted) is None:
                    self._hub.add(subscriber)
            for subscriber in starting:
                if start_of(subscriber.wanted) is not None:
                    await self._hub.catch_up(subscriber)

    async def _write(self) -> None:
        while True:
            message = await self._outbox.take()
            try:
                await self._socket.send_frame(message, WSMsgType.TEXT)
            except (ConnectionError, RuntimeError):
                # The client is gone; the reader notices and ends the session.
                return

    async def _end_when_over(self, writer: asyncio.Task[None]) -> None:
        await self._outbox.over.wait()
        if self._outbox.code is WSCloseCode.TRY_AGAIN_LATER:
            self._metrics.dropped_subscribers.inc()
        writer.cancel()
        self._end_subscriptions()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._socket.close(code=self._outbox.code, message=self._outbox.reason.encode())
        except TimeoutError:
            # It reads nothing at all: the write deadline of the connection cuts it off.
            return

    def _end_subscriptions(self) -> None:
        for subscriber in self._subscribers.values():
            self._hub.remove(subscriber)
        self._subscribers.clear()

    def _drop(self, reason: str) -> None:
        self._outbox.end(WSCloseCode.TRY_AGAIN_LATER, reason)
