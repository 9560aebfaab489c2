"""Fans the chain's events out to subscribers: each event is rendered once a kind, whatever their number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson
import structlog

from sequencer.core.block import Block
from sequencer.core.errors import SlowSubscriber
from sequencer.core.views import BlockSealed, BlocksReset, ChainEvent, FlashblockPublished, TransactionPooled
from sequencer.rpc import jsonrpc
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.filters import matching_logs
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.render.block import header
from sequencer.rpc.render.log import log_record
from sequencer.rpc.render.preconfirmation import preconfirmation, published_flashblock
from sequencer.rpc.render.transaction import pooled_transaction
from sequencer.rpc.subscription_kinds import (
    Logs,
    NewFlashblocks,
    NewHeads,
    NewPendingTransactions,
    Preconfirmations,
    Wanted,
)

_log = structlog.get_logger()

EVENTS_LOST: Final = "events were lost: the server could not keep up"


@dataclass(frozen=True, slots=True, eq=False)
class Subscriber:
    """One subscription: where its messages go, and how its connection is ended when events were lost."""

    id: str
    wanted: Wanted
    send: Callable[[bytes], None]
    drop: Callable[[str], None]


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
            case TransactionPooled():
                self._transaction_pooled(event)
            case FlashblockPublished():
                self._flashblock_published(event)
            case BlockSealed():
                self._send_to(NewHeads, lambda: header(event.block.header))
                self._send_logs(event.block, removed=False)
            case BlocksReset():
                self._chain.filters.undo(event.blocks, self._chain.config.log_result_limit)
                for block in event.blocks:
                    self._send_logs(block, removed=True)

    def _transaction_pooled(self, event: TransactionPooled) -> None:
        transaction = event.transaction
        self._chain.filters.pooled.append(transaction)
        subscribers = self._of(NewPendingTransactions)
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
        self._send_to(NewFlashblocks, lambda: published_flashblock(event))
        subscribers = self._of(Preconfirmations)
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
