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
from concurrent.futures import ThreadPoolExecutor

import structlog
from prometheus_client import CollectorRegistry

from da.backpressure import load_percent, pace, together
from da.batcher import Batcher, BatchTip
from da.codec import ClosedBatch
from da.derive import AcceptedBatch, Derivation
from da.metrics import DaMetrics
from da.service import DaService
from mempool.metrics import MempoolMetrics
from mempool.service import Mempool
from sequencer.beacon.metrics import EvidenceMetrics
from sequencer.beacon.service import WatchService
from sequencer.beacon.watcher import Watcher
from sequencer.chain_view import ChainView
from sequencer.channel import Broadcast
from sequencer.clock import clock_ms
from sequencer.config import Settings
from sequencer.core.block import BlockRef, PayloadAttributes
from sequencer.core.calls import AccountView
from sequencer.core.errors import Fatal, Reason, Rejected
from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.heads import Heads
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.plain_reads import PlainReader
from sequencer.core.ports import EntryRules, Signer
from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Address, Hash32
from sequencer.core.views import (
    ChainEvent,
    Preconfirmed,
    Status,
    TransactionsPooled,
)
from sequencer.flashblock_codecs import flashblock_codec
from sequencer.halt import Halt
from sequencer.ingress_holds import IngressHolds
from sequencer.lane_watch import LaneWatcher
from sequencer.leadership import Candidacy
from sequencer.live import LiveBlocks
from sequencer.log_repair import LogRepair
from sequencer.loop_thread import LoopThread
from sequencer.ordering.express_lane import ExpressLane
from sequencer.ordering.lane import LaneTable
from sequencer.ordering.ranked import RankedPolicy
from sequencer.ordering.registry import make_policy
from sequencer.ordering_desk import OrderingDesk
from sequencer.payload.builder import Term
from sequencer.payload.metrics import PayloadMetrics
from sequencer.payload.service import BlockBuilder
from sequencer.posting import Poster, sign_batch
from sequencer.preconf.metrics import PreconfMetrics
from sequencer.preconf.service import LoggedSeal, PromiseService
from sequencer.preconf.signing import GuardedSigner
from sequencer.preconf.waiters import Waiters
from sequencer.public_heads import PublicHeads
from sequencer.recovery import Recovery, Resumed
from sequencer.retention import Retention
from sequencer.senders import sender_recovery
from sequencer.settlement import HeadsKeeper, Settlement
from sequencer.status import StatusBook
from sequencer.storage.logs import LogIndex
from sequencer.storage.table import DA_OUTBOX, PrefixedStorage
from sequencer.stores import ChainStores
from sequencer.verification.comparison import Difference
from sequencer.verification.metrics import VerificationMetrics
from sequencer.verification.reexecution import Witness
from sequencer.verification.service import Verifier
from sequencer.watching import BrokenPromises, ChainWatch

log = structlog.get_logger(__name__)

EVENTS_KEPT = 4096
"""Events a subscriber may be behind before it is cut off."""
READ_THREADS = 8
ACCOUNTS_READ_AT_ONCE = 256
"""Accounts that the event loop reads itself, in half a millisecond, where the engine answers plain reads."""
INLINE_GAS = 100_000
"""Gas that such an engine may execute on the event loop, within a millisecond at the worst."""

ANSWERED_FIRST = 16
"""A flashblock of so few transactions lets the answers go out before its housekeeping is done."""


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
        self._stay_awake = stay_awake
        self._settings = settings
        self._stores = stores
        self._signer = GuardedSigner(signer, stores.domain, stores.guard)
        self._metrics = PayloadMetrics(registry)
        self._preconf_metrics = PreconfMetrics(registry)
        self._engine_thread = LoopThread("engine")
        self._settling_thread = LoopThread("guard")
        self._signing_thread = ThreadPoolExecutor(1, thread_name_prefix="signing")
        self._journal_thread = LoopThread("mempool journal")
        self._read_threads = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="reads")
        self._base_fee_wei = spec.fees.initial_base_fee_wei
        self._lane = LaneTable()
        self._policy = make_policy(spec.ordering, self._lane)
        self._recovery = sender_recovery(stores.engine)
        self.halt = Halt(stores.halt_file, self._on_halt)
        self._verification_thread = ThreadPoolExecutor(1, thread_name_prefix="verification")
        self._verifier = self._make_verifier(registry)
        self._broken = BrokenPromises(self._signed)
        self._codec = flashblock_codec(stores.engine)
        self._live = LiveBlocks(stores.domain, self._codec, signer.address)
        self._statuses = StatusBook()
        self._events: Broadcast[ChainEvent] = Broadcast(EVENTS_KEPT)
        self._waiters: Waiters[Preconfirmed] = Waiters(settings.rpc.sync_send_limit)
        self._heads = HeadsKeeper(Heads.at_genesis(stores.genesis_header.ref))
        self._public = PublicHeads(self._heads, self._statuses, stores.genesis_header.ref, clock_ms)
        self.pool = Mempool(
            settings.mempool,
            self._recovery,
            self._pending_accounts,
            self._entry_rules,
            clock_ms,
            MempoolMetrics(registry),
            stores.journal,
            self._journal_thread,
            account_now=self._pending_account if isinstance(stores.engine, PlainReader) else None,
        )
        self.pool.on_pooled = self._on_pooled
        self.pool.on_dropped = self._on_dropped
        self._ordering = OrderingDesk(
            rule=spec.ordering,
            policy=self._policy,
            pool=self.pool,
            domain=stores.domain,
            address=signer.address,
            sign=self._signer.sign_received,
            threads=self._signing_thread,
        )
        self._da = DaService(
            PrefixedStorage(stores.storage, DA_OUTBOX),
            stores.layer.layer,
            self._public,
            DaMetrics(registry),
            config=stores.layer.patience(settings.da),
            clock_ms=clock_ms,
            rng=random.Random(),  # noqa: S311 - jitter between retries
        )
        self.view = ChainView(
            spec=spec,
            genesis_hash=stores.genesis_header.hash,
            domain=stores.domain,
            codec=self._codec,
            heads=lambda: self._heads.heads,
            live=self._live,
            store=stores.blocks,
            log_index=LogIndex(stores.storage, stores.blocks),
            pool=self.pool,
            engine=stores.engine,
            read_threads=self._read_threads,
            events=self._events,
            waiters=self._waiters,
            statuses=self._statuses,
            batch=self._da.batch,
            batch_of=self._da.batch_of,
            next_base_fee=lambda: self._base_fee_wei,
            ordering=self._ordering,
            broken=lambda: self._broken.transactions,
        )
        self._preconf_metrics.follow(self.view.promise_ledger)
        self._watch = ChainWatch(
            config=settings.evidence,
            layer=stores.layer.layer,
            signed=self._signed,
            own=signer.address,
            broken=self._broken,
            on_guilty=self.halt,
        )
        self._watch_service = WatchService(
            Watcher(stores.domain, frozenset(member.address for member in spec.sequencers.members)),
            stores.evidence_folder,
            EvidenceMetrics(registry),
            self._watch.on_found,
        )
        self.ingress = IngressHolds(self.pool)
        self._rules: tuple[int, EntryRules] | None = None
        self._batcher: Batcher
        self._builder: BlockBuilder
        self._promises: PromiseService
        self._settlement: Settlement
        self._poster: Poster
        self._retention: Retention

    # ------------------------------------------------------------------------------------------- start

    async def start(self) -> None:
        """Recover the chain and build the stages on top of it."""
        stores, spec = self._stores, self._stores.genesis.spec
        await self._da.load()
        latest = self._da.latest
        tip = (
            BatchTip(latest.sequence, latest.header_hash, latest.last_block)
            if latest
            else BatchTip.at_genesis(stores.genesis_header.hash)
        )
        self._batcher = Batcher(self._settings.batch, tip)
        resumed = await self._recover()
        self._public.restore(resumed.parent.ref, self._da.heads)
        await asyncio.to_thread(self._broken.load, stores.evidence_folder)
        self._remind_policy(resumed.parent.number)
        member = spec.sequencers.member(self._signer.address)
        if member is None:
            raise Fatal(f"0x{self._signer.address.hex()} is not a sequencer of chain {spec.chain_id}")
        term = Term(spec.sequencers.epoch, resumed.term, 0, member.fee_recipient)
        self._retention = Retention(resumed.seal_positions)
        if self._verifier:
            self._verifier.start(resumed.parent.number)
        self._settlement = Settlement(
            store=stores.blocks,
            engine=stores.engine,
            live=self._live,
            heads=self._heads,
            events=self._events,
            batcher=self._batcher,
            on_stored=self._verifier.sealed if self._verifier else lambda *_: None,
            statuses=self._statuses,
            clock_ms=clock_ms,
        )
        self._promises = PromiseService(
            sequence_log=stores.sequence_log,
            fence=resumed.term,
            signer=self._signer,
            settling_thread=self._settling_thread,
            on_opened=self._live.opened,
            on_logging=self._on_logging,
            on_preconfirmed=self._on_preconfirmed,
            on_sealed=self._on_sealed,
            on_stalled=self._on_stalled,
            metrics=self._preconf_metrics,
            clock_ms=clock_ms,
        )
        self._builder = BlockBuilder(
            config=self._settings.block,
            spec=spec,
            term=term,
            engine=stores.engine,
            engine_thread=self._engine_thread,
            source=self.pool,
            policy=self._policy,
            downstream=self._promises,
            on_open=self._on_open,
            gas_percent=self._ease,
            clock_ms=clock_ms,
            metrics=self._metrics,
            codec=self._codec,
            inline_gas=INLINE_GAS if self.view.plain_reader is not None else None,
            parent=resumed.parent,
            parent_flashblock=resumed.parent_flashblock,
            last_timestamp_ms=resumed.last_timestamp_ms,
            bundles=self.pool.bundles if self._ordering.takes_bundles else None,
        )
        self._poster = Poster(
            batcher=self._batcher,
            term=term,
            sign=self._signer.sign_batch,
            verified=self._verified,
            record=self._promises.record,
            outbox=self._da,
            batched=self._settlement.batched,
            clock_ms=clock_ms,
        )
        self.halt.remember()

    def _make_verifier(self, registry: CollectorRegistry) -> Verifier | None:
        stores = self._stores
        if stores.verifying_engine is None:
            return None
        return Verifier(
            genesis=stores.genesis,
            witness=Witness(stores.verifying_engine, self._recovery),
            chain_engine=stores.engine,
            blocks=stores.blocks,
            thread=self._verification_thread,
            metrics=VerificationMetrics(registry),
            on_difference=self._on_difference,
        )

    async def _recover(self) -> Resumed:
        stores = self._stores

        async def repost(batch: ClosedBatch) -> None:
            signed = await asyncio.to_thread(sign_batch, batch, self._signer.sign_batch)
            while not self._da.has_room:  # its loop does not run yet, so its steps are taken here
                wait_ms = await self._da.advance()
                await asyncio.sleep((wait_ms or 0) / 1000)
            await self._da.enqueue(signed, recovered=True)

        candidacy = Candidacy(
            file=stores.guard,
            signer=self._signer,
            sequence_log=stores.sequence_log,
            store=stores.blocks,
            published=self._published,
            repair=LogRepair(stores.sequence_log, stores.blocks, self._da.batch),
            metrics=self._preconf_metrics,
        )
        await candidacy.run()
        resumed = await Recovery(
            genesis=stores.genesis,
            genesis_header=stores.genesis_header,
            sequence_log=stores.sequence_log,
            store=stores.blocks,
            engine=stores.engine,
            recovery=self._recovery,
            signer=self._signer,
            batcher=self._batcher,
            repost=repost,
            clock_ms=clock_ms,
        ).run()
        candidacy.check_batches(self._batcher.tip)
        self._signer.lead()
        return resumed

    async def _published(self) -> bool:
        """The DA layer holds a batch that this chain's rules accept: somebody has signed already."""
        stores, members = self._stores, self._stores.genesis.spec.sequencers
        header = stores.genesis_header
        rules = Derivation(stores.domain, header.ref, header.timestamp, lambda _: members)
        async for ref, blob in stores.layer.layer.blobs(1):
            if any(isinstance(event, AcceptedBatch) for event in rules.feed(ref, blob)):
                return True
        return False

    def _remind_policy(self, head: int) -> None:
        """Tell a policy that remembers what it would have been told before the restart."""
        if isinstance(self._policy, RankedPolicy):
            numbers = range(max(1, head + 1 - self._policy.history_blocks), head + 1)
            self._policy.remember(block for number in numbers if (block := self._stores.blocks.block(number)))

    # ----------------------------------------------------------------------------------- run and stop

    async def run(self) -> None:
        """Serve until cancelled. Raises ``Fatal`` when the chain cannot go on."""
        async with asyncio.TaskGroup() as stages:
            for stage in (self.pool, self._promises, self._settlement, self._poster, self._da, self._builder):
                stages.create_task(self.halt.hold(stage.run()), name=type(stage).__name__)
            if self._verifier:
                stages.create_task(self._verifier.run(), name="verifier")
            stages.create_task(self._shorten_log(), name="log retention")
            stages.create_task(self._watch.follow_batches(self._watch_service), name="posted batches")
            for url in self._settings.evidence.watch:
                stages.create_task(self._watch.follow_promises(self._watch_service, url), name=f"flashblocks of {url}")
            if isinstance(self._policy, ExpressLane) and self._policy.auction is not None:
                watcher = LaneWatcher(
                    self._lane, self._policy.auction, self._policy.round_ms, self._sealed_slot, clock_ms
                )
                stages.create_task(watcher.run(), name="express lane")

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
        for threads in (
            self._engine_thread,
            self._settling_thread,
            self._signing_thread,
            self._journal_thread,
            self._verification_thread,
            self._read_threads,
        ):
            threads.shutdown(wait=True, cancel_futures=True)

    def pause(self) -> None:
        """Seal no further block until ``resume``."""
        self._builder.pause()

    def resume(self) -> None:
        """Undo ``pause``."""
        if self.halt.reason is None:
            self._builder.resume()

    # --------------------------------------------------------------------- what one stage does for another

    def _pending_account(self, address: Address) -> AccountView:
        (account,) = self._stores.engine.accounts([address], "pending")
        return account

    async def _pending_accounts(self, addresses: Sequence[Address]) -> list[AccountView]:
        """Never by the threads that users' reads wait in, for promises wait for this."""
        read = self._stores.engine.accounts
        if self.view.plain_reader is None:
            return await asyncio.to_thread(read, addresses, "pending")
        accounts: list[AccountView] = []
        for at in range(0, len(addresses), ACCOUNTS_READ_AT_ONCE):
            if at:
                await asyncio.sleep(0)
            accounts += read(addresses[at : at + ACCOUNTS_READ_AT_ONCE], "pending")
        return accounts

    async def _sealed_slot(self, contract: Address, slot: Hash32) -> Hash32:
        (value,) = await self.view.storage(contract, [slot], self._heads.heads.unsafe.number)
        return value

    def _signed(self, number: int) -> Sequence[SignedFlashblock]:
        """A block's signed flashblocks, as far as there are any."""
        live = self._live.blocks.get(number)
        return live.signed if live else self._stores.blocks.flashblocks(number)

    def _entry_rules(self) -> EntryRules:
        """Asked for every transaction, changed by forks alone: made once a second."""
        now_s = clock_ms() // 1000
        if self._rules is None or self._rules[0] != now_s:
            spec = self._stores.genesis.spec
            rules = EntryRules(
                chain_id=spec.chain_id,
                fork=spec.fork_at(now_s),
                gas_limit=spec.gas_limit,
                minimum_fee_per_gas=spec.fees.minimum_base_fee_wei,
                minimum_tip_per_gas=0,
            )
            self._rules = now_s, rules
        return self._rules[1]

    def _on_pooled(self, entered: Sequence[PooledTransaction], executable: bool) -> None:
        self._stay_awake()
        if executable:
            self._events.publish(TransactionsPooled(tuple([pooled.transaction for pooled in entered])))
            return
        for pooled in entered:
            self._statuses.transactions.reached(pooled.transaction.hash, Status.QUEUED, pooled.arrival.received_ms)

    def _on_dropped(self, pooled: PooledTransaction, reason: Reason) -> None:
        times = self._statuses.transactions
        if not times.of(pooled.transaction.hash):  # it never had to wait
            times.reached(pooled.transaction.hash, Status.RECEIVED, pooled.arrival.received_ms)
        self._waiters.fail(pooled.transaction.hash, Rejected(reason))

    def _ease(self) -> int:
        """How much of the next block's gas may be used, by what waits to be public; ingress follows."""
        unposted, backlog = self._batcher.unposted, self._da.backlog
        waiting = together(
            unposted.size_bytes, unposted.oldest_sealed_ms, backlog.size_bytes, backlog.oldest_prepared_ms
        )
        allowed = pace(load_percent(waiting, clock_ms(), self._settings.back_pressure))
        if not allowed.accepts_new:
            self.ingress.hold("da", "too much waits to be posted")
        else:
            self.ingress.release("da")
        return allowed.gas_percent

    def _on_open(self, attributes: PayloadAttributes) -> None:
        self._base_fee_wei = attributes.base_fee_per_gas
        self._ordering.opened(attributes)

    async def _on_preconfirmed(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> None:
        """A flashblock is durable and signed: tell those who wait, then everyone, then the pool."""
        published = self._live.preconfirmed(signed, closed)
        answered = len(self._waiters) and self._answer_waiters(signed, closed)
        self._events.publish(published)
        if answered and len(closed.taken) <= ANSWERED_FIRST:
            await asyncio.sleep(0)
        self._ordering.decided(closed.entry)
        self._statuses.preconfirmed(signed.flashblock)
        held = self.pool.held_addresses(closed.taken)
        accounts = dict(zip(held, await self._pending_accounts(held), strict=True)) if held else {}
        self.pool.included(closed.taken, accounts)

    def _on_logging(self, closed: ClosedFlashblock) -> None:
        """The log's disk is at work on a flashblock: whoever waits for a promise in it may prepare the answer."""
        if len(self._waiters) and len(closed.taken) <= ANSWERED_FIRST:
            for index, (transaction, _) in enumerate(closed.taken):
                if transaction.hash in self._waiters and (expected := self._live.expected(closed, index)):
                    self._waiters.expect(transaction.hash, expected)

    def _answer_waiters(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> int:
        """How many of its transactions somebody waited for."""
        answered = 0
        for transaction, _ in closed.taken:
            if transaction.hash not in self._waiters:
                continue
            answered += 1
            if self._waiters.confirm(transaction.hash, signed):
                continue
            inclusion, promise = self._live.inclusion(transaction.hash), self._live.preconfirmation(transaction.hash)
            if inclusion is not None and promise is not None:
                self._waiters.resolve(transaction.hash, Preconfirmed(inclusion, promise))
        return answered

    async def _on_sealed(self, sealed: LoggedSeal) -> None:
        self._retention.sealed(sealed.block.header.number, sealed.position)
        await self._settlement.take(sealed)

    async def _verified(self, block: BlockRef) -> None:
        """Until everything up to ``block`` may be published."""
        if self._verifier is None:
            return
        await self._verifier.reached(block.number)
        stored = self._stores.blocks.header(block.number)
        if stored is None or stored.hash != block.hash:
            raise Fatal(f"block {block.number} is to be posted as 0x{block.hash.hex()}, which is not what was verified")

    def _on_difference(self, difference: Difference) -> None:
        self.halt(f"verification: {difference}")

    def _on_halt(self, reason: str) -> None:
        self._signer.halt(reason)
        self.ingress.hold("halt", "signing is halted")
        self._builder.pause()

    def _on_stalled(self, stalled: bool) -> None:
        if stalled:
            self.ingress.hold("log", "no space left for the sequence log")
        else:
            self.ingress.release("log")

    async def _shorten_log(self) -> None:
        """Let go of log segments whose blocks are final on DA and durable in store and state (D7)."""
        while True:
            await self._public.finalized.wait()
            self._public.finalized.clear()
            position = self._retention.final(self._heads.heads.finalized.number)
            if position is not None and self._stores.sequence_log.would_free(position):
                await asyncio.to_thread(self._stores.storage.flush)
                await asyncio.to_thread(self._stores.engine.sync)
                await asyncio.to_thread(self._stores.sequence_log.retain, position)
