"""One chain's pipeline, from raw transaction to DA, composed of its parts. Read ``ChainRuntime`` as a list.

::

    rpc --> mempool ==> builder (+ policy, engine) --> promises (log, signature) --> settlement (store, state)
                                                                                          |
                                     heads <-- DA service <-- outbox <-- poster <-- batcher

The parts know nothing of each other; everything that one does for another goes through here.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import CollectorRegistry

from da.batcher import Batcher, BatchTip
from da.metrics import DaMetrics
from da.service import DaService
from mempool.metrics import MempoolMetrics
from mempool.service import Mempool
from sequencer.announcer import Announcer
from sequencer.beacon.metrics import EvidenceMetrics
from sequencer.beacon.watcher import Watcher
from sequencer.chain_threads import ChainThreads
from sequencer.chain_view import ChainView
from sequencer.channel import Broadcast
from sequencer.clock import clock_ms
from sequencer.config import Settings
from sequencer.core.block import PayloadAttributes
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.heads import Heads
from sequencer.core.ports import Signer
from sequencer.core.types import Address, Hash32
from sequencer.core.views import ChainEvent, Preconfirmed
from sequencer.current_rules import CurrentRules
from sequencer.easing import Easing
from sequencer.flashblock_codecs import flashblock_codec
from sequencer.halt import Halt
from sequencer.ingress_holds import IngressHolds
from sequencer.lane_watch import LaneWatcher
from sequencer.live import LiveBlocks
from sequencer.log_shortening import LogShortening
from sequencer.ordering.express_lane import ExpressLane
from sequencer.ordering.lane import LaneTable
from sequencer.ordering.registry import make_policy
from sequencer.ordering_desk import OrderingDesk
from sequencer.payload.builder import Term
from sequencer.payload.metrics import PayloadMetrics
from sequencer.payload.service import BlockBuilder
from sequencer.pending_accounts import PendingAccounts
from sequencer.posting import Poster
from sequencer.preconf.metrics import PreconfMetrics
from sequencer.preconf.service import LoggedSeal, PromiseService
from sequencer.preconf.signing import GuardedSigner
from sequencer.preconf.waiters import Waiters
from sequencer.public_heads import PublicHeads
from sequencer.recovery import Resumed
from sequencer.resumption import Resumption
from sequencer.retention import Retention
from sequencer.senders import sender_recovery
from sequencer.settlement import HeadsKeeper, Settlement
from sequencer.status import StatusBook
from sequencer.storage.logs import LogIndex
from sequencer.storage.table import DA_OUTBOX, PrefixedStorage
from sequencer.stores import ChainStores
from sequencer.verified_blocks import VerifiedBlocks, make_verifier
from sequencer.watching import BrokenPromises, ChainWatch

log = structlog.get_logger(__name__)

EVENTS_KEPT = 4096
"""Events a subscriber may be behind before it is cut off."""
INLINE_GAS = 100_000
"""Gas that an engine of plain reads may execute on the event loop, within a millisecond at the worst."""


class ChainRuntime:
    """The stages of one chain. ``start`` recovers, ``run`` serves, ``drain`` stops in order."""

    def __init__(
        self,
        settings: Settings,
        stores: ChainStores,
        signer: Signer,
        registry: CollectorRegistry,
        stay_awake: Callable[[], None] = lambda: None,
    ) -> None:
        spec = stores.genesis.spec
        self._settings = settings
        self._stores = stores
        self._signer = GuardedSigner(signer, stores.domain, stores.guard)
        self._metrics = PayloadMetrics(registry)
        self._preconf_metrics = PreconfMetrics(registry)
        self._threads = ChainThreads()
        self._base_fee_wei = spec.fees.initial_base_fee_wei
        self._lane = LaneTable()
        self._policy = make_policy(spec.ordering, self._lane)
        self._recovery = sender_recovery(stores.engine)
        self.halt = Halt(stores.halt_file, self._on_halt)
        self._verifier = make_verifier(stores, self._recovery, self._threads.verification, registry, self.halt)
        self._broken = BrokenPromises(self._signed)
        self._codec = flashblock_codec(stores.engine)
        self._live = LiveBlocks(stores.domain, self._codec, signer.address)
        self._statuses = StatusBook()
        self._events: Broadcast[ChainEvent] = Broadcast(EVENTS_KEPT)
        self._waiters: Waiters[Preconfirmed] = Waiters(settings.rpc.sync_send_limit)
        self._heads = HeadsKeeper(Heads.at_genesis(stores.genesis_header.ref))
        self._public = PublicHeads(self._heads, self._statuses, stores.genesis_header.ref, clock_ms)
        self._accounts = PendingAccounts(stores.engine)
        self.pool = self._make_pool(registry)
        self._ordering = self._make_ordering_desk(signer.address)
        self._announcer = self._make_announcer(stay_awake)
        self._da = self._make_da(registry)
        self.view = self._make_view()
        self._preconf_metrics.follow(self.view.promise_ledger)
        self._watch = self._make_watch(signer.address, registry)
        self.ingress = IngressHolds(self.pool)
        self._batcher: Batcher
        self._builder: BlockBuilder
        self._promises: PromiseService
        self._settlement: Settlement
        self._poster: Poster
        self._retention: Retention
        self._log_shortening: LogShortening

    # ------------------------------------------------------------------- the parts that are there from the beginning

    def _make_pool(self, registry: CollectorRegistry) -> Mempool:
        return Mempool(
            self._settings.mempool,
            self._recovery,
            self._accounts.of,
            CurrentRules(self._stores.genesis.spec, clock_ms).now,
            clock_ms,
            MempoolMetrics(registry),
            self._stores.journal,
            self._threads.journal,
            account_now=self._accounts.now,
        )

    def _make_ordering_desk(self, address: Address) -> OrderingDesk:
        return OrderingDesk(
            rule=self._stores.genesis.spec.ordering,
            policy=self._policy,
            pool=self.pool,
            domain=self._stores.domain,
            address=address,
            sign=self._signer.sign_received,
            threads=self._threads.signing,
        )

    def _make_announcer(self, stay_awake: Callable[[], None]) -> Announcer:
        announcer = Announcer(
            live=self._live,
            waiters=self._waiters,
            events=self._events,
            statuses=self._statuses,
            ordering=self._ordering,
            pool=self.pool,
            accounts=self._accounts,
            stay_awake=stay_awake,
        )
        self.pool.on_pooled = announcer.pooled
        self.pool.on_dropped = announcer.dropped
        return announcer

    def _make_da(self, registry: CollectorRegistry) -> DaService:
        return DaService(
            PrefixedStorage(self._stores.storage, DA_OUTBOX),
            self._stores.layer.layer,
            self._public,
            DaMetrics(registry),
            config=self._stores.layer.patience(self._settings.da),
            clock_ms=clock_ms,
            rng=random.Random(),  # noqa: S311 - jitter between retries
        )

    def _make_view(self) -> ChainView:
        stores = self._stores
        return ChainView(
            spec=stores.genesis.spec,
            genesis_hash=stores.genesis_header.hash,
            domain=stores.domain,
            codec=self._codec,
            heads=lambda: self._heads.heads,
            live=self._live,
            store=stores.blocks,
            log_index=LogIndex(stores.storage, stores.blocks),
            pool=self.pool,
            engine=stores.engine,
            read_threads=self._threads.reads,
            events=self._events,
            waiters=self._waiters,
            statuses=self._statuses,
            batch=self._da.batch,
            batch_of=self._da.batch_of,
            next_base_fee=lambda: self._base_fee_wei,
            ordering=self._ordering,
            broken=lambda: self._broken.transactions,
        )

    def _make_watch(self, own: Address, registry: CollectorRegistry) -> ChainWatch:
        members = self._stores.genesis.spec.sequencers.members
        return ChainWatch(
            config=self._settings.evidence,
            watcher=Watcher(self._stores.domain, frozenset(member.address for member in members)),
            folder=self._stores.evidence_folder,
            layer=self._stores.layer.layer,
            signed=self._signed,
            own=own,
            broken=self._broken,
            on_guilty=self.halt,
            metrics=EvidenceMetrics(registry),
        )

    # ------------------------------------------------------------------------------------------- start

    async def start(self) -> None:
        """Recover the chain and build the stages on top of it."""
        stores, spec = self._stores, self._stores.genesis.spec
        await self._da.load()
        self._batcher = Batcher(self._settings.batch, BatchTip.posted(self._da.latest, stores.genesis_header.hash))
        resumed = await Resumption(
            stores=stores,
            signer=self._signer,
            recovery=self._recovery,
            batcher=self._batcher,
            da=self._da,
            metrics=self._preconf_metrics,
            clock_ms=clock_ms,
        ).run()
        self._public.restore(resumed.parent.ref, self._da.heads)
        await asyncio.to_thread(self._broken.load, stores.evidence_folder)
        self._ordering.remind(stores.blocks.block, resumed.parent.number)
        member = spec.sequencers.member(self._signer.address)
        if member is None:
            raise Fatal(f"0x{self._signer.address.hex()} is not a sequencer of chain {spec.chain_id}")
        term = Term(spec.sequencers.epoch, resumed.term, 0, member.fee_recipient)
        if self._verifier:
            self._verifier.start(resumed.parent.number)
        self._retention = Retention(resumed.seal_positions)
        self._log_shortening = self._make_log_shortening()
        self._settlement = self._make_settlement()
        self._promises = self._make_promises(resumed)
        self._builder = self._make_builder(resumed, term)
        self._poster = self._make_poster(term)
        self.halt.remember()

    def _make_log_shortening(self) -> LogShortening:
        return LogShortening(
            retention=self._retention,
            public=self._public,
            heads=self._heads,
            sequence_log=self._stores.sequence_log,
            storage=self._stores.storage,
            engine=self._stores.engine,
        )

    def _make_settlement(self) -> Settlement:
        return Settlement(
            store=self._stores.blocks,
            engine=self._stores.engine,
            live=self._live,
            heads=self._heads,
            events=self._events,
            batcher=self._batcher,
            on_stored=self._verifier.sealed if self._verifier else lambda *_: None,
            statuses=self._statuses,
            clock_ms=clock_ms,
        )

    def _make_promises(self, resumed: Resumed) -> PromiseService:
        return PromiseService(
            sequence_log=self._stores.sequence_log,
            fence=resumed.term,
            signer=self._signer,
            settling_thread=self._threads.guard,
            on_opened=self._live.opened,
            on_logging=self._announcer.logging,
            on_preconfirmed=self._announcer.preconfirmed,
            on_sealed=self._on_sealed,
            on_stalled=self._on_stalled,
            metrics=self._preconf_metrics,
            clock_ms=clock_ms,
        )

    def _make_builder(self, resumed: Resumed, term: Term) -> BlockBuilder:
        return BlockBuilder(
            config=self._settings.block,
            spec=self._stores.genesis.spec,
            term=term,
            engine=self._stores.engine,
            engine_thread=self._threads.engine,
            source=self.pool,
            policy=self._policy,
            downstream=self._promises,
            on_open=self._on_open,
            gas_percent=Easing(
                self._settings.back_pressure, self._batcher, self._da, self.ingress, clock_ms
            ).gas_percent,
            clock_ms=clock_ms,
            metrics=self._metrics,
            codec=self._codec,
            inline_gas=INLINE_GAS if self.view.plain_reader is not None else None,
            parent=resumed.parent,
            parent_flashblock=resumed.parent_flashblock,
            last_timestamp_ms=resumed.last_timestamp_ms,
            bundles=self.pool.bundles if self._ordering.takes_bundles else None,
        )

    def _make_poster(self, term: Term) -> Poster:
        return Poster(
            batcher=self._batcher,
            term=term,
            sign=self._signer.sign_batch,
            verified=VerifiedBlocks(self._verifier, self._stores.blocks).until,
            record=self._promises.record,
            outbox=self._da,
            batched=self._settlement.batched,
            clock_ms=clock_ms,
        )

    # ----------------------------------------------------------------------------------- run and stop

    async def run(self) -> None:
        """Serve until cancelled. Raises ``Fatal`` when the chain cannot go on."""
        async with asyncio.TaskGroup() as stages:
            for stage in (self.pool, self._promises, self._settlement, self._poster, self._da, self._builder):
                stages.create_task(self.halt.hold(stage.run()), name=type(stage).__name__)
            if self._verifier:
                stages.create_task(self._verifier.run(), name="verifier")
            stages.create_task(self._log_shortening.run(), name="log retention")
            stages.create_task(self._watch.run(), name="watch for faults")
            if isinstance(self._policy, ExpressLane) and self._policy.auction is not None:
                auction, round_ms = self._policy.auction, self._policy.round_ms
                lane = LaneWatcher(self._lane, auction, round_ms, self._sealed_slot, clock_ms)
                stages.create_task(lane.run(), name="express lane")

    async def drain(self, budget_s: float) -> None:
        """Stop building, then see everything built through to DA, for at most ``budget_s`` seconds.

        ``run`` must go on meanwhile. What is not through by then is on disk and goes on at the next start.
        """
        self.ingress.hold("stop", "shutting down")
        self._builder.stop()
        if self.halt.reason is not None:
            return  # nothing more gets through
        try:
            async with asyncio.timeout(budget_s):
                await self._builder.stopped.wait()
                await self._settlement.drain()
                await self._poster.flush()
                await self._da.drain(budget_s)
        except TimeoutError:
            log.warning("shutdown budget is used up; the rest is posted after the next start")

    def close(self) -> None:
        """Release the threads."""
        self._threads.close()

    def pause(self) -> None:
        """Seal no further block until ``resume``."""
        self._builder.pause()

    def resume(self) -> None:
        """Undo ``pause``."""
        if self.halt.reason is None:
            self._builder.resume()

    # --------------------------------------------------------------------- what one stage does for another

    async def _sealed_slot(self, contract: Address, slot: Hash32) -> Hash32:
        (value,) = await self.view.storage(contract, [slot], self._heads.heads.unsafe.number)
        return value

    def _signed(self, number: int) -> Sequence[SignedFlashblock]:
        """A block's signed flashblocks, as far as there are any."""
        live = self._live.blocks.get(number)
        return live.signed if live else self._stores.blocks.flashblocks(number)

    def _on_open(self, attributes: PayloadAttributes) -> None:
        self._base_fee_wei = attributes.base_fee_per_gas
        self._ordering.opened(attributes)

    async def _on_sealed(self, sealed: LoggedSeal) -> None:
        self._retention.sealed(sealed.block.header.number, sealed.position)
        await self._settlement.take(sealed)

    def _on_halt(self, reason: str) -> None:
        self._signer.halt(reason)
        self.ingress.hold("halt", "signing is halted")
        self._builder.pause()

    def _on_stalled(self, stalled: bool) -> None:
        if stalled:
            self.ingress.hold("log", "no space left for the sequence log")
        else:
            self.ingress.release("log")
