"""Drives derivation: feeds the blobs of a DA layer to the pure rules, executes what they accept, and stores it.

Nothing is read but the layer and the genesis file. A batch that does not execute to its own header has no
effect, and what comes after it is judged as if it had never been there.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from da.derive import AcceptedBatch, Derivation, DerivationEvent, DerivationTip, Ignored, IgnoredBlob
from da.selection import LayerSettings, open_layer
from execution.selection import open_engine
from sequencer.core.block import Block, Header
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.genesis import Genesis
from sequencer.core.membership import SequencerSet
from sequencer.core.ports import BlobRef, DataAvailability, ExecutionEngine
from sequencer.senders import sender_recovery
from sequencer.storage.blocks import BlockStore
from sequencer.storage.meta import ChainMeta
from sequencer.storage.rocks import RocksStorage
from sequencer.sync.reexecution import execute_decided

log = structlog.get_logger(__name__)

RETRIES: Final = 7
"""How often in a row a layer that does not answer is asked again, waiting twice as long each time: two minutes."""


@dataclass(frozen=True, slots=True)
class DerivationSource:
    """Where the batches are read: a folder of the layer ``local``, or the layer that the genesis names."""

    local_dir: Path | None
    settings: LayerSettings


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a derivation has come: heights of the layer, from the first blob's to the newest, and blocks."""

    first_height: int
    height: int
    head_height: int
    block: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        whole = self.head_height - self.first_height + 1
        return min(1.0, (self.height - self.first_height + 1) / whole) if whole > 0 else 1.0


OnProgress = Callable[[Progress], None]


class Taker(Protocol):
    """Who keeps what was derived. Called in the order of the chain."""

    def header(self, number: int) -> Header | None:
        """Of a block that was taken before, in this process or an earlier one."""
        ...

    def saw(self, ref: BlobRef, blob: bytes) -> None:
        """A blob of the layer, before what it completes is taken."""
        ...

    async def take(self, batch: AcceptedBatch, blocks: Sequence[Block]) -> None:
        """The batch has effect; ``blocks`` are those of it that were executed just now, sealed but not committed."""
        ...


async def derive_chain(
    source: DerivationSource,
    genesis: Genesis,
    data_dir: Path,
    *,
    to: int | None,
    engine: str,
    pass_fds: Sequence[int],
    on_progress: OnProgress = lambda _: None,
) -> Header:
    """The head after everything on the layer, or after block ``to``."""
    forks = [fork.name for fork in genesis.spec.forks]
    evm = open_engine(engine, data_dir, forks_needed=forks, read_workers=1, pass_fds=pass_fds)
    try:
        genesis_header = await asyncio.to_thread(evm.open, genesis)
        with RocksStorage(data_dir / "chain") as storage:
            ChainMeta(storage).check(genesis_header.hash)
            store = BlockStore(storage)
            await store.put(Block(genesis_header, (), ()), ())
            origin = None if source.local_dir else genesis.spec.da
            folder = source.local_dir or data_dir / "da"
            async with open_layer(
                origin, source.settings, local_dir=folder, genesis_text=None, clock_ms=_clock_ms
            ) as opened:
                keeper = _Keeper(evm, store)
                driver = DerivationDriver(genesis, genesis_header, evm, keeper, to=to, on_progress=on_progress)
                await driver.run(opened.layer)
            head = store.head()
            header = store.header(head.number) if head else None
    finally:
        await asyncio.to_thread(evm.close)
    if header is None:
        raise Fatal("the derived chain has no head")
    return header


class _Keeper:
    """Keeps blocks and state, and nothing that only a sequencer needs."""

    def __init__(self, engine: ExecutionEngine, store: BlockStore) -> None:
        self._engine = engine
        self._store = store

    def header(self, number: int) -> Header | None:
        """As stored."""
        return self._store.header(number)

    def saw(self, ref: BlobRef, blob: bytes) -> None:
        """Of no interest."""

    async def take(self, batch: AcceptedBatch, blocks: Sequence[Block]) -> None:  # noqa: ARG002 - the protocol's
        """Store, then commit."""
        for block in blocks:
            await self._store.put(block, ())
        if blocks:
            await asyncio.to_thread(self._engine.commit, blocks[-1].header.number)


class DerivationDriver:
    """One derivation on one engine, which may hold the beginning of the chain already."""

    def __init__(
        self,
        genesis: Genesis,
        genesis_header: Header,
        engine: ExecutionEngine,
        taker: Taker,
        *,
        to: int | None = None,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        spec = genesis.spec
        self._spec = spec
        self._engine = engine
        self._taker = taker
        self._to = to
        self._on_progress = on_progress
        self._recovery = sender_recovery(engine)
        domain = Domain(spec.chain_id, spec.verifying_contract, genesis_header.hash)
        self._rules = Derivation(domain, genesis_header.ref, genesis_header.timestamp, self._set_at)
        self._first_height = 0
        self._height = 1
        self.doubt: IgnoredBlob | None = None
        """A well signed batch that has no effect, and that no other one has replaced: the chain may go on elsewhere."""

    def _set_at(self, epoch: int) -> SequencerSet | None:
        return self._spec.sequencers if epoch == self._spec.sequencers.epoch else None

    @property
    def tip(self) -> DerivationTip:
        """Where the chain stands."""
        return self._rules.tip

    async def run(self, layer: DataAvailability) -> None:
        """Until the layer's end or block ``to``. May be called again, to see whether anything has come since."""
        head = await layer.head()
        async for ref, blob in read_on(layer, self._height):
            self._height = max(self._height, ref.height)
            self._first_height = self._first_height or ref.height
            self._taker.saw(ref, blob)
            reached = await self._take(self._rules.feed(ref, blob))
            block = self._rules.tip.last_block.number
            self._on_progress(Progress(self._first_height, ref.height, max(head, ref.height), block))
            if reached:
                return
        if self._rules.waiting:
            raise Fatal(f"the layer lacks the batch before {self._rules.waiting[0]}")

    async def _take(self, events: Sequence[DerivationEvent]) -> bool:
        """Execute what was accepted. True once block ``to`` is reached."""
        queue = list(events)
        while queue:
            event = queue.pop(0)
            if not isinstance(event, AcceptedBatch):
                self._ignore(event)
                continue
            blocks = await self._execute(event)
            if blocks is None:
                queue = list(self._rules.refuse(event))
                continue
            self.doubt = None
            await self._taker.take(event, blocks)
            if self._to is not None and event.header.last_block >= self._to:
                return True
        return False

    def _ignore(self, ignored: IgnoredBlob) -> None:
        if ignored.reason in (Ignored.RULES, Ignored.REFUSED):
            self.doubt = ignored
        report = log.debug if ignored.reason is Ignored.DUPLICATE else log.warning
        report("ignored on DA", height=ignored.ref.height, reason=ignored.reason.value, detail=ignored.detail)

    async def _execute(self, batch: AcceptedBatch) -> list[Block] | None:
        """Execute those of the batch's blocks that the engine lacks, up to ``to``. None, with nothing changed, if they
        do not end as its header says."""
        height, blocks = self._engine.height(), list[Block]()
        if batch.header.last_block <= height:
            last = self._taker.header(batch.header.last_block)
            ends = (last.hash, last.state_root) if last else None
            return blocks if ends == (batch.header.last_block_hash, batch.header.state_root) else None
        lacking = [derived for derived in batch.blocks if derived.attributes.number > height]
        for derived in lacking:
            attributes = derived.attributes
            try:
                block = await asyncio.to_thread(
                    execute_decided,
                    self._engine,
                    self._recovery,
                    self._spec.chain_id,
                    self._spec.fork_at(attributes.timestamp),
                    attributes,
                    [(entry.transactions, None) for entry in derived.flashblocks],
                )
            except Fatal as error:
                log.warning("batch does not execute", sequence=batch.header.sequence, error=str(error))
                break
            blocks.append(block)
        reached = len(blocks) == len(lacking) and (blocks[-1].header.hash, blocks[-1].header.state_root) == (
            batch.header.last_block_hash,
            batch.header.state_root,
        )
        if not reached:
            await asyncio.to_thread(self._engine.unwind, height)
            return None
        if self._to is not None and self._to < blocks[-1].header.number:
            await asyncio.to_thread(self._engine.unwind, self._to)
            blocks = [block for block in blocks if block.header.number <= self._to]
        return blocks


async def read_on(layer: DataAvailability, from_height: int) -> AsyncIterator[tuple[BlobRef, bytes]]:
    """Every blob from ``from_height`` to the layer's end, over moments in which the layer does not answer. Raises
    ``Temporary`` once it has not for a while."""
    height, given, failures = from_height, set[BlobRef](), 0
    while True:
        try:
            async for ref, blob in layer.blobs(height):
                if ref.height > height:
                    height, given = ref.height, set()
                if ref not in given:
                    given.add(ref)
                    yield ref, blob
                failures = 0
        except Temporary as error:
            failures += 1
            if failures > RETRIES:
                raise
            log.warning("the DA layer does not answer", height=height, error=str(error), failures=failures)
            await asyncio.sleep(2 ** (failures - 1))
        else:
            return


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
