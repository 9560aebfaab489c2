"""Everything of one chain that is on disk, opened in the order in which one thing needs another."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from da.selection import LayerSettings, OpenLayer, open_layer
from da.selection import Poster as L1Poster
from execution.selection import open_engine, open_verifying_engine
from mempool.journal import Journal
from sequencer.clock import clock_ms
from sequencer.config import Settings
from sequencer.consensus.local.files import OS_FILES
from sequencer.consensus.local.service import LocalLog
from sequencer.consensus.metrics import LogMetrics
from sequencer.core import genesis as genesis_file
from sequencer.core.block import Header
from sequencer.core.eip712 import Domain
from sequencer.core.genesis import Genesis
from sequencer.core.ports import ExecutionEngine, Signer
from sequencer.core.types import Address
from sequencer.flashblock_codecs import flashblock_codec
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.guard_format import GuardedChain
from sequencer.preconf.twin import hold_key, home_of
from sequencer.storage.blocks import BlockStore
from sequencer.storage.meta import ChainMeta
from sequencer.storage.rocks import RocksStorage
from sequencer.storage.table import L1_JOURNAL, PrefixedStorage

log = structlog.get_logger(__name__)

TOLD_AFTER_S: Final = 1.0
"""An operator waits so long without a word of what for."""


@dataclass(frozen=True, slots=True)
class ChainStores:
    """Everything of one chain that is on disk, opened."""

    genesis: Genesis
    genesis_header: Header
    domain: Domain
    engine: ExecutionEngine
    sequence_log: LocalLog
    storage: RocksStorage
    blocks: BlockStore
    meta: ChainMeta
    layer: OpenLayer
    guard: GuardFile
    journal: Journal
    evidence_folder: Path
    """Where proven faults are written."""
    verifying_engine: ExecutionEngine | None = None
    """Executes every sealed block again; None where that is turned off."""
    halt_file: Path | None = None
    """Where it is kept why the chain signs nothing more."""


def local_da_dir(settings: Settings, data_dir: Path) -> Path:
    """Where the local DA layer is, for a chain that uses it."""
    return settings.node.local_da_dir or data_dir / "da"


@asynccontextmanager
async def open_stores(
    settings: Settings,
    genesis: Genesis,
    key: Address,
    data_dir: Path,
    registry: CollectorRegistry,
    pass_fds: Sequence[int],
    l1_signer: Signer | None = None,
) -> AsyncIterator[ChainStores]:
    """Open engine, log and store of one chain; close them in reverse order, the engine last. The guard of ``key``
    is opened later, when log and store can tell whether it must be there."""
    forks = [fork.name for fork in genesis.spec.forks]
    async with AsyncExitStack() as stack:
        engine = open_engine(
            settings.node.engine,
            data_dir,
            forks_needed=forks,
            read_workers=settings.node.read_workers,
            pass_fds=pass_fds,
        )
        stack.callback(engine.close)
        genesis_header = await _open(engine, genesis)
        guarded = GuardedChain(key, genesis.spec.chain_id, genesis_header.hash)
        await asyncio.to_thread(stack.enter_context, hold_key(guarded))
        guard = GuardFile(data_dir / "guard", guarded, OS_FILES, home_of)
        stack.push_async_callback(asyncio.to_thread, guard.close)
        sequence_log = LocalLog(
            data_dir / "log",
            genesis_header.hash,
            encode=flashblock_codec(engine).encode,
            segment_bytes=settings.sequence_log.segment_bytes,
            metrics=LogMetrics(registry),
        )
        await asyncio.to_thread(sequence_log.open)
        stack.push_async_callback(asyncio.to_thread, sequence_log.close)
        verifying_engine: ExecutionEngine | None = None
        if settings.execution.verify_blocks:
            folder = data_dir / "verify"
            verifying_engine = open_verifying_engine(engine, folder, forks_needed=forks, pass_fds=pass_fds)
            stack.push_async_callback(asyncio.to_thread, verifying_engine.close)
        storage = stack.enter_context(RocksStorage(data_dir / "chain"))
        meta = ChainMeta(storage)
        meta.check(genesis_header.hash)
        layer = await stack.enter_async_context(
            open_layer(
                genesis.spec.da,
                LayerSettings(settings.celestia, settings.ethereum, settings.fallback),
                local_dir=local_da_dir(settings, data_dir),
                genesis_text=partial(genesis_file.dump, genesis),
                clock_ms=clock_ms,
                poster=L1Poster(l1_signer, PrefixedStorage(storage, L1_JOURNAL)) if l1_signer else None,
            )
        )
        yield ChainStores(
            genesis=genesis,
            genesis_header=genesis_header,
            domain=Domain(genesis.spec.chain_id, genesis.spec.verifying_contract, genesis_header.hash),
            engine=engine,
            sequence_log=sequence_log,
            storage=storage,
            blocks=BlockStore(storage),
            meta=meta,
            layer=layer,
            guard=guard,
            journal=Journal(data_dir / "mempool.journal", OS_FILES),
            verifying_engine=verifying_engine,
            halt_file=data_dir / "halted",
            evidence_folder=data_dir / "evidence",
        )


async def _open(engine: ExecutionEngine, genesis: Genesis) -> Header:
    """Open the engine, which the first time makes the state of every account of the genesis."""
    tell = partial(log.info, "opening the state", accounts=len(genesis.accounts), engine=engine.name)
    told = asyncio.get_running_loop().call_later(TOLD_AFTER_S, tell)
    try:
        return await asyncio.to_thread(engine.open, genesis)
    finally:
        told.cancel()
