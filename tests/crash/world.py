"""A whole chain in this process, over a disk, a store and a state that a crash or a power loss takes apart.

Everything is the real thing but the engine (``ledger_engine``), the disk (``sequencer.testing.disk``) and the
store's database: pool, builder, log, guard, signer, settlement, batches, outbox and recovery are the node's own,
composed by ``ChainRuntime``. A client counts a promise from the moment it is published, and holds every later life
of the node to it: same place, same outcome, same signature. Whatever was ever signed must be one chain.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from da.config import BatcherConfig, SubmitterConfig
from da.derive import AcceptedBatch, Derivation, Ignored
from da.memory import MemoryLayer
from da.selection import OpenLayer
from sequencer import chain_file
from sequencer.chain import ChainRuntime
from sequencer.config import Settings
from sequencer.consensus.local.service import LocalLog
from sequencer.core.batch import BatchHeader
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock, Preconfirmation, SignedFlashblock, verify
from sequencer.core.genesis import Genesis
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.types import Hash32, Signature
from sequencer.core.views import FlashblockPublished
from sequencer.payload.config import PayloadConfig
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.guard_format import GuardedChain, Home
from sequencer.preconf.signing import GuardedSigner
from sequencer.signer.local import LocalSigner
from sequencer.storage.blocks import BlockStore
from sequencer.storage.meta import ChainMeta
from sequencer.stores import ChainStores
from sequencer.testing.disk import SimulatedDisk
from tests.crash.ledger_engine import Committed, LedgerEngine
from tests.crash.steps import Died, DurableRows, ProcessDisk, ProcessStorage, Steps
from tests.wallet import Wallet

KEY = b"\x42" * 32
ROOT = Path("/node")
SENDERS = 4
SEGMENT_BYTES = 1 << 14
SETTINGS = Settings(
    block=PayloadConfig(block_time_ms=15, flashblock_interval_ms=2, flashblock_max_transactions=8),
    batch=BatcherConfig(max_age_ms=30, min_age_ms=30),
    da=SubmitterConfig(poll_interval_ms=20, resend_after_ms=20, confirm_timeout_ms=200),
)


@cache
def _genesis() -> Genesis:
    chain = chain_file.load(chain_file.find("devnet"))
    member = SequencerInfo(LocalSigner(KEY).address, LocalSigner(KEY).address)
    return chain.genesis(timestamp=1_700_000_000, seed=keccak256(b"crash"), sequencers=(member,))


class _WatchedSigner(GuardedSigner):
    """Writes down everything that was signed, whether or not anybody got to see it."""

    world: "World"
    steps: Steps

    def sign(self, flashblocks: Any) -> list[SignedFlashblock]:
        if flashblocks:
            self.steps.take("sign")
        signed = super().sign(flashblocks)
        self.world.signed += [item.flashblock for item in signed]
        return signed

    def sign_batch(self, header: BatchHeader) -> Signature:
        self.steps.take("sign batch")
        signature = super().sign_batch(header)
        self.world.batches.append(header)
        return signature


@dataclass
class World:
    """What outlives processes, and what clients know."""

    random: Random
    disk: SimulatedDisk = field(default_factory=SimulatedDisk)
    rows: DurableRows = field(default_factory=DurableRows)
    state: Committed = field(default_factory=Committed)
    verified: Committed = field(default_factory=Committed)
    layer: MemoryLayer = field(default_factory=MemoryLayer)
    promises: dict[Hash32, Preconfirmation] = field(default_factory=dict)
    unchecked: list[Hash32] = field(default_factory=list)
    signed: list[Flashblock] = field(default_factory=list)
    batches: list[BatchHeader] = field(default_factory=list)
    checks: int = 0
    steps: dict[str, int] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------- one life

    def live(self, steps: Steps, transactions: int) -> None:
        """One process, from its start to its end: at a step, or after so many transactions."""
        asyncio.run(self._live(steps, transactions))
        for name, count in steps.taken.items():
            self.steps[name] = self.steps.get(name, 0) + count

    async def _live(self, steps: Steps, transactions: int) -> None:
        log: LocalLog | None = None
        runtime: ChainRuntime | None = None
        try:
            stores = self._stores(steps)
            log = stores.sequence_log
            await asyncio.to_thread(log.open)
            runtime = ChainRuntime(SETTINGS, stores, LocalSigner(KEY), CollectorRegistry())
            self._watch(runtime, stores, steps)
            await runtime.start()
            self._check(runtime)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(runtime.run())
                tasks.create_task(self._use(runtime, steps, transactions))
        except BaseException as error:
            if not steps.dead.is_set():
                raise
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            steps.die()
            if runtime is not None:
                runtime.close()
            if log is not None:
                with contextlib.suppress(Died):
                    log.close()

    def _stores(self, steps: Steps) -> ChainStores:
        genesis = _genesis()
        engine = LedgerEngine(self.state, steps)
        header = engine.open(genesis)
        files = ProcessDisk(self.disk, steps)
        storage: Any = ProcessStorage(self.rows, steps)
        meta = ChainMeta(storage)
        meta.check(header.hash)
        chain = GuardedChain(LocalSigner(KEY).address, genesis.spec.chain_id, header.hash)
        untyped: Any = ChainStores
        stores: ChainStores = untyped(
            genesis=genesis,
            genesis_header=header,
            domain=Domain(genesis.spec.chain_id, genesis.spec.verifying_contract, header.hash),
            engine=engine,
            sequence_log=LocalLog(ROOT / "log", header.hash, files=files, segment_bytes=SEGMENT_BYTES),
            storage=storage,
            blocks=BlockStore(storage),
            meta=meta,
            verifying_engine=LedgerEngine(self.verified, steps),
            layer=OpenLayer(self.layer),
            journal=None,
            evidence_folder=ROOT / "evidence",
            guard=GuardFile(ROOT / "guard", chain, files, lambda _: Home(1, bytes(16))),
        )
        return stores

    def _watch(self, runtime: ChainRuntime, stores: ChainStores, steps: Steps) -> None:
        signer = _WatchedSigner(LocalSigner(KEY), stores.domain, stores.guard)
        signer.world, signer.steps = self, steps
        runtime._signer = signer
        publish = runtime._events.publish

        def published(event: Any) -> None:
            if isinstance(event, FlashblockPublished):
                steps.take("publish")  # beyond this line it has left the process
                for inclusion in event.inclusions:
                    transaction_hash = inclusion.transaction.hash
                    promise = runtime.view.preconfirmation(transaction_hash)
                    assert promise is not None
                    self.promises[transaction_hash] = promise
                    self.unchecked.append(transaction_hash)
            publish(event)

        async def submitted(blobs: Any) -> Any:
            steps.take("DA submit")
            refs = await MemoryLayer.submit(self.layer, blobs)
            steps.take("DA answer")
            return refs

        runtime._events.publish = published  # type: ignore[method-assign]
        self.layer.submit = submitted  # type: ignore[method-assign]

    async def _use(self, runtime: ChainRuntime, steps: Steps, transactions: int) -> None:
        """Clients send; when all that was signed is in sealed blocks and one more batch is public, the life is over."""
        before = runtime.view.heads.safe.number
        await self._send(runtime, transactions)

        def done() -> bool:
            heads = runtime.view.heads
            return heads.safe.number > before and heads.unsafe.number >= self.signed[-1].block_number

        async with asyncio.timeout(30):
            while not done():  # noqa: ASYNC110 - heads have no event of their own
                await asyncio.sleep(0.001)
        steps.die()
        raise Died("the end of this life")

    async def _send(self, runtime: ChainRuntime, transactions: int) -> None:
        """Each client sends one transaction after another, and some wait for the promise before the next; all are
        promised when this returns."""
        chain = chain_file.load(chain_file.find("devnet"))
        left = transactions
        senders = [Random(self.random.random()) for _ in range(SENDERS)]

        async def send(account: chain_file.FundedAccount, random: Random) -> None:
            nonlocal left
            (view,) = await runtime.view.accounts([account.address], "pending")
            wallet = Wallet(account.private_key, _genesis().spec.chain_id, view.nonce)
            transaction_hash: Hash32 | None = None
            while left > 0:
                left -= 1
                transaction_hash = await runtime.view.submit(wallet.sign(to=random.randbytes(20), value=1))
                if random.random() < 0.7:
                    await runtime.view.wait_preconfirmed(transaction_hash, 30)
            if transaction_hash is not None:
                await runtime.view.wait_preconfirmed(transaction_hash, 30)

        async with asyncio.TaskGroup() as group:
            for account, random in zip(chain.funded, senders, strict=False):
                group.create_task(send(account, random))

    # --------------------------------------------------------------------------------------- what must hold

    def crash(self) -> None:
        """The process dies; the machine does not."""
        self.disk.crash()

    def power_loss(self) -> None:
        """The machine dies."""
        self.disk.power_loss(self.random)
        self.rows.lose(self.random)
        self.state.lose(self.random)
        self.verified.lose(self.random)

    def _check(self, runtime: ChainRuntime) -> None:
        """Every promise that is new since the last life, and some older ones, stand where they were made."""
        older = self.random.sample(sorted(self.promises), min(20, len(self.promises)))
        for transaction_hash in [*self.unchecked, *older]:
            self._check_promise(runtime, transaction_hash)
        self.unchecked.clear()

    def _check_promise(self, runtime: ChainRuntime, transaction_hash: Hash32) -> None:
        promised = self.promises[transaction_hash]
        now = runtime.view.preconfirmation(transaction_hash)
        inclusion = runtime.view.inclusion(transaction_hash)
        assert now is not None, f"lost: 0x{transaction_hash.hex()}"
        assert inclusion is not None, f"lost: 0x{transaction_hash.hex()}"
        assert now == promised, f"moved or doubled: 0x{transaction_hash.hex()}"
        place = (inclusion.block.number, inclusion.position)
        assert place == (promised.signed.flashblock.block_number, promised.position), "moved"
        assert inclusion.outcome.outcome_hash == promised.outcome_hash, "another outcome"
        assert all(check.ok for check in verify(now)), "does not verify"
        self.checks += 1

    def finish(self) -> None:
        """One more life without a crash, and the whole history once more."""
        self.unchecked = list(self.promises)
        self.live(Steps(), transactions=8)
        self.unchecked = list(self.promises)
        self.live(Steps(), transactions=0)
        self.check_signatures()
        self.check_posted()

    def check_posted(self) -> None:
        """What is on DA, read by the rules of derivation, has every promise up to its last block at its place."""
        genesis = _genesis()
        header = LedgerEngine(Committed(), Steps()).open(genesis)
        domain = Domain(genesis.spec.chain_id, genesis.spec.verifying_contract, header.hash)
        rules = Derivation(domain, header.ref, header.timestamp, lambda _: genesis.spec.sequencers)
        places: dict[Hash32, tuple[int, int]] = {}
        last_block = 0
        for ref, blob in self.layer.contents():
            for event in rules.feed(ref, blob):
                assert isinstance(event, AcceptedBatch) or event.reason is Ignored.DUPLICATE, event
                if isinstance(event, AcceptedBatch):
                    last_block = event.header.last_block
                    for block in event.blocks:
                        raws = [raw for entry in block.flashblocks for raw in entry.transactions]
                        places |= {keccak256(raw): (block.attributes.number, at) for at, raw in enumerate(raws)}
        assert last_block > 0, "nothing was posted"
        for transaction_hash, promised in self.promises.items():
            flashblock = promised.signed.flashblock
            if flashblock.block_number <= last_block:
                assert places.get(transaction_hash) == (flashblock.block_number, promised.position), (
                    "not posted as promised"
                )

    def check_signatures(self) -> None:
        """Everything that was ever signed is one chain (I2), and one batch a sequence."""
        distinct = {item.struct_hash: item for item in self.signed}
        ordered = sorted(distinct.values(), key=lambda item: (item.block_number, item.index))
        places = [(item.block_number, item.index) for item in ordered]
        assert len(set(places)) == len(places), "two signatures at one place"
        for earlier, later in pairwise(ordered):
            assert later.parent == earlier.struct_hash, "signed off the chain"
        headers = {header.struct_hash: header.sequence for header in self.batches}
        assert len(set(headers.values())) == len(headers), "two batches of one sequence"


def quiet() -> None:
    """The node's own logs would drown a campaign's output."""

    def drop(*_: Any) -> Any:
        raise structlog.DropEvent

    structlog.configure(processors=[drop])
