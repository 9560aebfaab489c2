"""Drives derivation: feeds the blobs of a DA layer to the pure rules, executes what they accept, and stores it.

Nothing is read but the layer and the genesis file. A batch that does not execute to its own header has no
effect, and what comes after it is judged as if it had never been there.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from da.derive import AcceptedBatch, Derivation, DerivationEvent
from da.selection import LayerSettings, open_layer
from execution.selection import open_engine
from sequencer.core.block import Block, Header
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Fatal
from sequencer.core.genesis import Genesis
from sequencer.core.membership import SequencerSet
from sequencer.core.ports import DataAvailability, ExecutionEngine
from sequencer.senders import sender_recovery
from sequencer.storage.blocks import BlockStore
from sequencer.storage.meta import ChainMeta
from sequencer.storage.rocks import RocksStorage
from sequencer.sync.reexecution import execute_decided

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DerivationSource:
    """Where the batches are read: a folder of the layer ``local``, or the layer that the genesis names."""

    local_dir: Path | None
    settings: LayerSettings


async def derive_chain(
    source: DerivationSource,
    genesis: Genesis,
    data_dir: Path,
    *,
    to: int | None,
    engine: str,
    pass_fds: Sequence[int],
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
                await _Driver(genesis, genesis_header, evm, store, to).run(opened.layer)
            head = store.head()
            header = store.header(head.number) if head else None
    finally:
        await asyncio.to_thread(evm.close)
    if header is None:
        raise Fatal("the derived chain has no head")
    return header


class _Driver:
    """One derivation into one store."""

    def __init__(
        self, genesis: Genesis, genesis_header: Header, engine: ExecutionEngine, store: BlockStore, to: int | None
    ) -> None:
        spec = genesis.spec
        self._spec = spec
        self._engine = engine
        self._store = store
        self._to = to
        self._recovery = sender_recovery(engine)
        domain = Domain(spec.chain_id, spec.verifying_contract, genesis_header.hash)
        self._rules = Derivation(domain, genesis_header.ref, genesis_header.timestamp, self._set_at)

    def _set_at(self, epoch: int) -> SequencerSet | None:
        return self._spec.sequencers if epoch == self._spec.sequencers.epoch else None

    async def run(self, layer: DataAvailability) -> None:
        """Until the layer's end or block ``to``."""
        async for ref, blob in layer.blobs(1):
            if await self._take(self._rules.feed(ref, blob)):
                return
        if self._rules.waiting:
            raise Fatal(f"the layer lacks the batch before {self._rules.waiting[0]}")

    async def _take(self, events: Sequence[DerivationEvent]) -> bool:
        """Execute what was accepted. True once block ``to`` is reached."""
        queue = list(events)
        while queue:
            event = queue.pop(0)
            if not isinstance(event, AcceptedBatch):
                log.warning("ignored on DA", height=event.ref.height, reason=event.reason.value, detail=event.detail)
                continue
            if not await self._execute(event):
                queue = list(self._rules.refuse(event))
            elif self._to is not None and event.header.last_block >= self._to:
                return True
        return False

    async def _execute(self, batch: AcceptedBatch) -> bool:
        """Execute the batch's blocks. False, with nothing changed, if they do not end as its header says."""
        before = batch.header.first_block - 1
        blocks: list[Block] = []
        for derived in batch.blocks:
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
        reached = len(blocks) == len(batch.blocks) and (blocks[-1].header.hash, blocks[-1].header.state_root) == (
            batch.header.last_block_hash,
            batch.header.state_root,
        )
        if not reached:
            await asyncio.to_thread(self._engine.unwind, before)
            return False
        last = blocks[-1].header.number
        if self._to is not None and self._to < last:
            last = self._to
            await asyncio.to_thread(self._engine.unwind, last)
        for block in blocks:
            if block.header.number <= last:
                await self._store.put(block, ())
        await asyncio.to_thread(self._engine.commit, last)
        return True


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
