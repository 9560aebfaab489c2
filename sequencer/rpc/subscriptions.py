"""Fans the chain's events out to subscribers: each event is rendered once a kind, whatever their number.

A subscriber that names where to begin is served from the store first, at its own pace, and joins the others when
it has caught up with what is published; what the others' queue still holds of that is then left out for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import structlog

from sequencer.core.block import Block
from sequencer.core.errors import SlowSubscriber
from sequencer.core.transaction import Transaction
from sequencer.core.views import BlockSealed, BlocksReset, ChainEvent, FlashblockPublished, TransactionsPooled
from sequencer.rpc import jsonrpc
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.filters import matching_logs
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.render.block import header
from sequencer.rpc.render.log import log_record
from sequencer.rpc.render.preconfirmation import preconfirmation, published_flashblock
from sequencer.rpc.render.transaction import pooled_transaction
from sequencer.rpc.subscription_kinds import (
    From,
    Logs,
    NewFlashblocks,
    NewHeads,
    NewPendingTransactions,
    Preconfirmations,
    Syncing,
    Wanted,
)

_log = structlog.get_logger()

EVENTS_LOST: Final = "events were lost: the server could not keep up"


@dataclass(slots=True)
class Progress:
    """Where a stream of flashblocks stands: those before ``next`` have been told, or were not asked for."""

    next: From

    def takes(self, event: FlashblockPublished) -> bool:
        """Whether the event is still to be told; it then counts as told."""
        flashblock = event.signed.flashblock
        place = From(flashblock.block_number, flashblock.index)
        if place < self.next:
            return False
        self.next = From(place.block_number, place.index + 1)
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Subscriber:
    """One subscription: where its messages go, and how its connection is ended when events were lost."""

    id: str
    wanted: Wanted
    send: Callable[[bytes], None]
    drop: Callable[[str], None]
    room: Callable[[], Awaitable[bool]]
    """Waits until more may be sent; False when nothing may any more."""
    progress: Progress


class SubscriptionHub:
    """All subscriptions to one chain."""

    def __init__(self, chain: ServedChain, metrics: RpcMetrics) -> None:
        self._chain = chain
        self._metrics = metrics
        self._by_kind: dict[type[Wanted], dict[str, Subscriber]] = {}

    def add(self, subscriber: Subscriber) -> None:
        """Notify it of every event from now on."""
        kind = type(subscriber.wanted)
        self._by_kind.setdefault(kind, {})[subscriber.id] = subscriber
        self._count(kind)
        if kind is Syncing:
            # As geth says to whoever subscribes when there is nothing to catch up with.
            subscriber.send(jsonrpc.notification(subscriber.id, b"false"))

    async def catch_up(self, subscriber: Subscriber) -> None:
        """Tell it everything from its position on, then of every event as ``add`` does. Ends when it is gone."""
        backend, progress = self._chain.backend, subscriber.progress
        while await subscriber.room():
            number = progress.next.block_number
            events = [event for event in backend.flashblocks(number) if progress.takes(event)]
            for event in events:
                if not await subscriber.room():
                    return
                self._tell(subscriber, event)
            if number <= backend.heads.unsafe.number:  # complete, nothing more will be published in it
                progress.next = max(progress.next, From(number + 1, 0))
                await asyncio.sleep(0)
            elif not events and not self._published_after(number):
                self.add(subscriber)
                return
            elif not events:
                progress.next = From(number + 1, 0)

    def _published_after(self, number: int) -> bool:
        """A block that is not stored yet is complete once a later one has a flashblock."""
        backend = self._chain.backend
        pending = backend.open_block()
        newest = pending.attributes.number if pending is not None else backend.heads.unsafe.number
        return any(backend.flashblocks(later) for later in range(number + 1, newest + 1))

    def remove(self, subscriber: Subscriber) -> None:
        """Stop notifying it."""
        kind = type(subscriber.wanted)
        if self._by_kind.get(kind, {}).pop(subscriber.id, None) is not None:
            self._count(kind)

    async def run(self) -> None:
        """Follow the chain's events for good. When events were lost, every subscriber is told so by being
        dropped, because a stream with a hole is worse than none."""
        while True:
            with self._chain.backend.subscribe() as events:
                try:
                    while True:
                        self.publish(await events.next())
                except SlowSubscriber:
                    _log.warning("rpc fan-out fell behind the chain; all subscribers are dropped")
                    for subscriber in list(self._all()):
                        subscriber.drop(EVENTS_LOST)

    def publish(self, event: ChainEvent) -> None:
        """Hand one event to whom it concerns."""
        match event:
            case TransactionsPooled():
                self._transactions_pooled(event)
            case FlashblockPublished():
                self._flashblock_published(event)
            case BlockSealed():
                self._send_to(NewHeads, lambda: header(event.block.header))
                self._send_logs(event.block, removed=False)
            case BlocksReset():
                self._chain.filters.undo(event.blocks, self._chain.config.log_result_limit)
                self._begin_again(event.blocks)
                for block in event.blocks:
                    self._send_logs(block, removed=True)

    def _transactions_pooled(self, event: TransactionsPooled) -> None:
        self._chain.filters.pooled.extend(event.transactions)
        subscribers = self._of(NewPendingTransactions)
        if subscribers:
            for transaction in event.transactions:
                self._send_pooled(subscribers, transaction)

    def _send_pooled(self, subscribers: Sequence[Subscriber], transaction: Transaction) -> None:
        rendered: dict[bool, bytes] = {}
        for subscriber in subscribers:
            wanted = subscriber.wanted
            full = isinstance(wanted, NewPendingTransactions) and wanted.full
            if full not in rendered:
                rendered[full] = (
                    orjson.dumps(pooled_transaction(transaction))
                    if full
                    else b'"0x%s"' % transaction.hash.hex().encode()
                )
            subscriber.send(jsonrpc.notification(subscriber.id, rendered[full]))

    def _flashblock_published(self, event: FlashblockPublished) -> None:
        listening = [s for s in self._of(NewFlashblocks) if s.progress.takes(event)]
        if listening:
            rendered = orjson.dumps(published_flashblock(event))
            for subscriber in listening:
                subscriber.send(jsonrpc.notification(subscriber.id, rendered))
        self._send_preconfirmations([s for s in self._of(Preconfirmations) if s.progress.takes(event)], event)

    def _begin_again(self, undone: Sequence[Block]) -> None:
        """Flashblocks will be published once more where a reset undid blocks."""
        first = From(min(block.header.number for block in undone), 0) if undone else From(0, 0)
        for subscriber in [*self._of(NewFlashblocks), *self._of(Preconfirmations)]:
            subscriber.progress.next = min(subscriber.progress.next, first)

    def _tell(self, subscriber: Subscriber, event: FlashblockPublished) -> None:
        if isinstance(subscriber.wanted, NewFlashblocks):
            subscriber.send(jsonrpc.notification(subscriber.id, orjson.dumps(published_flashblock(event))))
        else:
            self._send_preconfirmations([subscriber], event)

    def _send_preconfirmations(self, subscribers: list[Subscriber], event: FlashblockPublished) -> None:
        if not subscribers:
            return
        for inclusion in event.inclusions:
            transaction = inclusion.transaction
            sender, transaction_hash = transaction.sender, transaction.hash
            wanting = [
                s
                for s in subscribers
                if isinstance(s.wanted, Preconfirmations) and s.wanted.wants(sender, transaction_hash)
            ]
            promise = self._chain.backend.preconfirmation(transaction_hash) if wanting else None
            if promise is None:
                continue
            rendered = orjson.dumps(preconfirmation(promise))
            for subscriber in wanting:
                subscriber.send(jsonrpc.notification(subscriber.id, rendered))

    def _send_to(self, kind: type[Wanted], render: Callable[[], object]) -> None:
        subscribers = self._of(kind)
        if subscribers:
            rendered = orjson.dumps(render())
            for subscriber in subscribers:
                subscriber.send(jsonrpc.notification(subscriber.id, rendered))

    def _send_logs(self, block: Block, *, removed: bool) -> None:
        for subscriber in self._of(Logs):
            if isinstance(subscriber.wanted, Logs):
                for record in matching_logs(block, subscriber.wanted.match):
                    rendered = orjson.dumps(log_record(record, removed=removed))
                    subscriber.send(jsonrpc.notification(subscriber.id, rendered))

    def _of(self, kind: type[Wanted]) -> list[Subscriber]:
        return list(self._by_kind.get(kind, {}).values())

    def _all(self) -> Iterator[Subscriber]:
        for subscribers in self._by_kind.values():
            yield from list(subscribers.values())

    def _count(self, kind: type[Wanted]) -> None:
        self._metrics.subscriptions.labels(kind.__name__).set(len(self._by_kind[kind]))
