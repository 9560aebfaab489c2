"""Drives the open block: pick, execute, close a flashblock, seal, and start over.

The engine works in a thread of its own, so the event loop stays free. Downstream is one bounded stage
(``Downstream``) that makes flashblocks durable and signs them; a flashblock closes as soon as the append of the one
before it has returned, which batches naturally under load and costs nothing when there is none.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar, runtime_checkable

import structlog

from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.errors import Reason, Rejected
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.ports import ExecutionEngine, FlashblockCodec, OrderingPolicy, ReadyTransactions
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Hash32
from sequencer.payload.builder import BlockDraft, Term, open_attributes, runs_at_once
from sequencer.payload.bundling import Room, ahead_of_bundle
from sequencer.payload.config import PayloadConfig
from sequencer.payload.metrics import PayloadMetrics
from sequencer.payload.pacing import Pace

log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class TransactionSource(Protocol):
    """What the builder needs of the pool."""

    def ready(self) -> ReadyTransactions: ...
    def has_ready(self) -> bool: ...
    async def wait_ready(self) -> None: ...
    def stage(self, taken: Sequence[PooledTransaction]) -> None: ...
    def get(self, transaction_hash: Hash32) -> PooledTransaction | None: ...
    def restore(self, taken: Sequence[PooledTransaction]) -> None: ...
    def drop(self, taken: PooledTransaction, reason: Reason) -> None: ...
    def set_base_fee(self, base_fee_wei: int) -> None: ...


class Bundle(Protocol):
    """Transactions that are placed together and in their order, or not at all."""

    @property
    def transactions(self) -> tuple[PooledTransaction, ...]: ...
    @property
    def may_revert(self) -> frozenset[Hash32]: ...


class BundleSource(Protocol):
    """What the builder needs of the bundles that wait: ``next`` until it is None, each one settled."""

    def open_block(self, number: int, timestamp_s: int) -> None: ...
    def next(self) -> Bundle | None: ...
    def settle(self, bundle: Any, placed: bool) -> None: ...


@runtime_checkable
class RankingPolicy(Protocol):
    """A policy that says how transactions rank, and is told what was placed."""

    def rank(self, pooled: PooledTransaction, base_fee_wei: int, ahead: int = 0) -> tuple[int, ...] | None: ...
    def opened(self, block_number: int) -> None: ...
    def placed(self, pooled: PooledTransaction) -> None: ...


class Downstream(Protocol):
    """Takes what was built, in order. ``idle`` means that the log holds it, ``drain`` waits until it is published."""

    @property
    def idle(self) -> bool: ...
    async def wait_idle(self) -> None: ...
    async def drain(self) -> None: ...
    async def opened(self, attributes: PayloadAttributes) -> None: ...
    async def closed(self, flashblock: ClosedFlashblock) -> None: ...
    async def sealed(self, block: Block) -> None: ...


class BlockBuilder:
    """Builds one block after another until told to stop."""

    def __init__(
        self,
        *,
        config: PayloadConfig,
        spec: ChainSpec,
        term: Term,
        engine: ExecutionEngine,
        engine_thread: Executor,
        source: TransactionSource,
        policy: OrderingPolicy,
        downstream: Downstream,
        on_open: Callable[[PayloadAttributes], None],
        clock_ms: Callable[[], int],
        metrics: PayloadMetrics,
        codec: FlashblockCodec,
        inline_gas: int | None,
        parent: Header,
        parent_flashblock: Hash32,
        last_timestamp_ms: int,
        bundles: BundleSource | None = None,
        gas_percent: Callable[[], int] = lambda: 100,
    ) -> None:
        self._config = config
        self._spec = spec
        self._term = term
        self._engine = engine
        self._thread = engine_thread
        self._source = source
        self._policy = policy
        self._ranking = policy if isinstance(policy, RankingPolicy) else None
        self._bundles = bundles if self._ranking else None
        self._downstream = downstream
        self._on_open = on_open
        self._gas_percent = gas_percent
        self._clock_ms = clock_ms
        self._metrics = metrics
        self._codec = codec
        self._inline_gas = inline_gas
        self._parent = parent
        self._parent_flashblock = parent_flashblock
        self._last_timestamp_ms = last_timestamp_ms
        self._pace = Pace(config.flashblock_interval_ms)
        self._stopping = asyncio.Event()
        self._waiting: asyncio.Timeout | None = None
        self.stopped = asyncio.Event()
        """Set when the last block is sealed and handed on."""
        self._running = asyncio.Event()
        self._running.set()

    def stop(self) -> None:
        """Seal the open block as it stands and return from ``run``."""
        self._stopping.set()
        self._running.set()
        if self._waiting:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def pause(self) -> None:
        """Open no further block until ``resume``: there is no room to store one."""
        self._running.clear()

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._running.set()

    async def run(self) -> None:
        """Build until ``stop``; the last block is sealed and handed on before this returns."""
        while not self._stopping.is_set():
            await self._running.wait()
            if not self._stopping.is_set():
                await self._build_block()
        await self._downstream.drain()
        self.stopped.set()

    async def _build_block(self) -> None:
        now_ms = self._clock_ms()
        attributes = open_attributes(self._spec, self._term, self._parent, now_ms)
        await self._in_engine(self._engine.begin, attributes)
        self._source.set_base_fee(attributes.base_fee_per_gas)
        if self._ranking:
            self._ranking.opened(attributes.number)
        if self._bundles:
            self._bundles.open_block(attributes.number, attributes.timestamp)
        self._metrics.open_block.set(attributes.number)
        self._on_open(attributes)
        await self._downstream.opened(attributes)
        draft = BlockDraft(
            attributes,
            self._config,
            self._spec.promise_window_s,
            self._parent_flashblock,
            self._last_timestamp_ms,
            self._gas_percent(),
            self._codec,
        )
        slot = now_ms // self._config.block_time_ms + 1
        await self._fill(draft, slot * self._config.block_time_ms)
        await self._seal(draft)

    async def _fill(self, draft: BlockDraft, seal_at_ms: int) -> None:
        """Execute and close flashblocks until the block's time is over."""
        while (now_ms := self._clock_ms()) < seal_at_ms and not self._stopping.is_set():
            if not draft.empty and self._downstream.idle:
                await self._downstream.closed(draft.close(now_ms))
            elif draft.close_due(now_ms):
                await self._wait(self._downstream.wait_idle(), seal_at_ms - now_ms)
            elif draft.block_full or not await self._execute_next(draft):
                await self._wait_for_work(draft, seal_at_ms - now_ms)

    async def _wait_for_work(self, draft: BlockDraft, left_ms: int) -> None:
        """Until a transaction is ready, or the open flashblock may close, or the time is over."""
        if not draft.empty:
            await self._wait(self._downstream.wait_idle(), left_ms)
        elif not self._source.has_ready() and not (self._bundles and self._bundles.next()):
            await self._wait(self._source.wait_ready(), left_ms)
        else:  # what is ready does not fit into what is left of this block
            await self._wait(self._stopping.wait(), min(left_ms, self._config.flashblock_interval_ms))

    async def _wait(self, condition: Awaitable[object], timeout_ms: int) -> None:
        try:
            async with asyncio.timeout(timeout_ms / 1000) as self._waiting:
                await condition
        except TimeoutError:
            return
        finally:
            self._waiting = None

    async def _execute_next(self, draft: BlockDraft) -> bool:
        """Execute what the policy puts next, a chunk of transactions or a bundle. False when there is nothing,
        or only what does not fit into this flashblock."""
        budget = draft.budget(self._pace.chunk())
        picked = self._policy.pick(self._source.ready(), budget, self._clock_ms()) if self._source.has_ready() else []
        bundle = self._bundles.next() if self._bundles else None
        if bundle is not None and self._ranking is not None:
            before = ahead_of_bundle(self._ranking, picked, bundle.transactions, draft.attributes.base_fee_per_gas)
            if not before:
                return await self._execute_bundle(draft, bundle)
            picked = picked[:before]
        if not picked:
            return False
        self._source.stage(picked)
        answers = await self._apply(picked)
        self._take(draft, picked, answers)
        return True

    async def _apply(self, picked: Sequence[PooledTransaction]) -> list[Outcome | Rejected]:
        started = time.perf_counter()
        transactions = [pooled.transaction for pooled in picked]
        if self._inline_gas is not None and runs_at_once(transactions, self._inline_gas):
            answers = self._engine.apply(transactions)
        else:
            answers = await self._in_engine(self._engine.apply, transactions)
        elapsed = time.perf_counter() - started
        self._pace.measured(len(picked), elapsed * 1e6)
        self._metrics.apply_seconds.observe(elapsed)
        return answers

    async def _execute_bundle(self, draft: BlockDraft, bundle: Bundle) -> bool:
        """Place the bundle whole, or leave no trace of it. False if it has to wait for the next flashblock."""
        members = bundle.transactions
        room = draft.room_for_bundle(members)
        if room is Room.NEXT_FLASHBLOCK:
            return False
        outcomes = await self._in_engine(self._try_bundle, bundle) if room is Room.HERE else None
        placed = outcomes is not None
        if self._bundles:
            self._bundles.settle(bundle, placed)
        (self._metrics.bundles_placed if placed else self._metrics.bundles_failed).inc()
        if outcomes is not None:
            own = [pooled for member in members if (pooled := self._source.get(member.transaction.hash))]
            self._source.stage(own)
            self._add(draft, members, outcomes)
        return True

    def _try_bundle(self, bundle: Bundle) -> list[Outcome] | None:
        """In the engine's thread: the outcomes, or None after undoing everything."""
        mark = self._engine.mark()
        outcomes: list[Outcome] = []
        for pooled, answer in zip(
            bundle.transactions,
            self._engine.apply([pooled.transaction for pooled in bundle.transactions]),
            strict=True,
        ):
            if isinstance(answer, Rejected) or not (answer.succeeded or pooled.transaction.hash in bundle.may_revert):
                self._engine.rewind(mark)
                return None
            outcomes.append(answer)
        return outcomes

    def _take(
        self, draft: BlockDraft, picked: Sequence[PooledTransaction], answers: Sequence[Outcome | Rejected]
    ) -> None:
        """Sort answers into the draft, back into the pool, and out of it."""
        taken: list[PooledTransaction] = []
        outcomes: list[Outcome] = []
        restored: list[PooledTransaction] = []
        refused_senders = set()
        for pooled, answer in zip(picked, answers, strict=True):
            if not isinstance(answer, Rejected):
                taken.append(pooled)
                outcomes.append(answer)
            elif answer.reason is Reason.GAS_LIMIT_REACHED or pooled.transaction.sender in refused_senders:
                refused_senders.add(pooled.transaction.sender)
                restored.append(pooled)
            else:
                refused_senders.add(pooled.transaction.sender)
                self._metrics.refused.labels(answer.reason).inc()
                self._source.drop(pooled, answer.reason)
        if restored:
            self._source.restore(restored)
        self._add(draft, taken, outcomes)

    def _add(self, draft: BlockDraft, taken: Sequence[PooledTransaction], outcomes: Sequence[Outcome]) -> None:
        """These stand in the block now."""
        if self._ranking:
            for pooled in taken:
                self._ranking.placed(pooled)
        gas_before = draft.gas_used
        draft.add(taken, outcomes, self._clock_ms())
        self._metrics.transactions.inc(len(taken))
        self._metrics.gas_used.inc(draft.gas_used - gas_before)

    async def _seal(self, draft: BlockDraft) -> None:
        started = time.perf_counter()
        if not draft.empty:
            await self._downstream.closed(draft.close(self._clock_ms()))
        block = await self._in_engine(self._engine.seal)
        self._parent = block.header
        self._parent_flashblock = draft.parent
        self._last_timestamp_ms = draft.last_timestamp_ms
        await self._downstream.sealed(block)
        self._metrics.blocks.inc()
        self._metrics.seal_gap_seconds.observe(time.perf_counter() - started)

    async def _in_engine(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
