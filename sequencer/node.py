"""The node: opens everything, owns the one task group, says when it is ready, and stops in order.

Shutdown: not ready, stop ingress, seal and drain to log, outbox and DA, stop answering, close the stores last.
A second signal skips to the end (``lifecycle.stop_on_signals``).
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from da.adoption import Adoption
from da.outbox import Outbox
from sequencer import lifecycle
from sequencer.chain import ChainRuntime
from sequencer.clock import clock_ms
from sequencer.config import Settings
from sequencer.core.block import Header
from sequencer.core.genesis import Genesis
from sequencer.core.ports import Signer
from sequencer.core.types import Hash32
from sequencer.da_sync import DaSync, SyncStopped, refuse_half_synced
from sequencer.derivation import DerivationSource, OnProgress, derive_chain
from sequencer.idle_poll import idle_poll
from sequencer.lifecycle import DataDirectory, DiskLevel, DiskLimits
from sequencer.preconf.signing import GuardedSigner
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.service import RpcServer
from sequencer.senders import send_reader
from sequencer.storage.table import DA_OUTBOX, PrefixedStorage
from sequencer.stores import ChainStores, local_da_dir, open_stores
from sequencer.telemetry import health
from sequencer.telemetry.health import Health
from sequencer.telemetry.metrics import ProcessMetrics
from sequencer.telemetry.server import TelemetryServer
from sequencer.web import pages

log = structlog.get_logger(__name__)

DRAIN_S = 10.0
"""Of the usual 30 seconds of grace, what sealing and posting may take."""
SWITCH_INTERVAL_S = 0.0005
"""How long a thread that computes in Python may keep the interpreter from the event loop. Closing a batch takes it for
some ten milliseconds, and at Python's own five every step of a send that falls into them waited that long."""


@dataclass(frozen=True, slots=True)
class NodeAddresses:
    """Where a running node listens, and what it runs."""

    rpc_url: str
    ws_url: str
    grpc_url: str | None
    metrics_url: str
    genesis_hash: Hash32
    engine: str
    da_dir: Path


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A start from DA: ``signed_nothing_beyond`` is the operator's word that the key has promised nothing that is not
    there."""

    signed_nothing_beyond: bool
    on_progress: OnProgress


class _Stop(Exception):
    """Leaves the task group when the node was told to stop and has stopped."""


async def run(
    settings: Settings,
    genesis: Genesis,
    signer: Signer,
    *,
    on_ready: Callable[[NodeAddresses], None],
    lock: DataDirectory,
    l1_signer: Signer | None = None,
    sync: SyncRequest | None = None,
) -> None:
    """Run a node until SIGTERM or SIGINT. Raises ``Fatal`` when it cannot go on."""
    registry = CollectorRegistry()
    probes, process = Health(), ProcessMetrics(registry)
    with lifecycle.stop_on_signals() as stop, idle_poll(settings.node.idle_poll_ms) as stay_awake:
        async with (
            TelemetryServer(settings.metrics, registry, probes, process) as telemetry,
            open_stores(
                settings, genesis, signer.address, lock.path, registry, (lock.descriptor,), l1_signer
            ) as stores,
        ):
            chain = ChainRuntime(settings, stores, signer, registry, stay_awake)
            try:
                if not await _synced(stores, signer, sync, stop):
                    return
                await chain.start()
                _tame_the_collector()
                sys.setswitchinterval(SWITCH_INTERVAL_S)
                process.describe_build(stores.engine.name, genesis.spec.fork_at(genesis.timestamp))
                server = RpcServer(
                    settings.rpc,
                    chain.view,
                    RpcMetrics(registry),
                    routes=pages.routes(),
                    sends=send_reader(stores.engine),
                )
                host, port = await server.start()
                place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                addresses = NodeAddresses(
                    rpc_url=f"http://{place}",
                    ws_url=f"ws://{place}",
                    grpc_url=None,
                    metrics_url=telemetry.url,
                    genesis_hash=stores.genesis_header.hash,
                    engine=stores.engine.name,
                    da_dir=local_da_dir(settings, lock.path),
                )
                limits = DiskLimits(settings.node.disk_low_bytes, settings.node.disk_full_bytes)
                await _serve(chain, server, probes, process, lock, limits, stop, lambda: on_ready(addresses))
            finally:
                await asyncio.to_thread(chain.close)


async def _synced(stores: ChainStores, signer: Signer, sync: SyncRequest | None, stop: asyncio.Event) -> bool:
    """Bring an empty data directory to where DA ends, if that is asked for. False if the node was told to stop."""
    if sync is None:
        refuse_half_synced(stores.meta)
        return True
    layer = stores.layer.layer
    try:
        await DaSync(
            genesis=stores.genesis,
            genesis_header=stores.genesis_header,
            engine=stores.engine,
            sequence_log=stores.sequence_log,
            storage=stores.storage,
            store=stores.blocks,
            meta=stores.meta,
            layer=layer,
            adoption=Adoption(Outbox(PrefixedStorage(stores.storage, DA_OUTBOX)), layer, clock_ms),
            guard=stores.guard,
            signer=GuardedSigner(signer, stores.domain, stores.guard),
            signed_nothing_beyond=sync.signed_nothing_beyond,
            on_progress=sync.on_progress,
            stopping=stop.is_set,
        ).run()
    except SyncStopped:
        log.info("stopped while syncing from DA; the next sync goes on")
        return False
    return True


def _tame_the_collector() -> None:
    """What stands after the start stays, so a full collection need not walk it: with a full pool one took 100 ms, in
    which nothing else runs. Cyclic garbage is rare here; it is looked for less often and still found.

    Young objects are walked in small portions: the new ones of a full block, 50,000, took 14 ms at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(3_000, 2, 10_000)


async def _serve(
    chain: ChainRuntime,
    server: RpcServer,
    probes: Health,
    process: ProcessMetrics,
    lock: DataDirectory,
    limits: DiskLimits,
    stop: asyncio.Event,
    announce: Callable[[], None],
) -> None:
    def on_disk(level: DiskLevel, free_bytes: int) -> None:
        _mind_the_disk(chain, probes, level, free_bytes)

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(chain.run(), name="chain")
            tasks.create_task(server.run(), name="rpc")
            tasks.create_task(process.watch_loop(), name="loop lag")
            tasks.create_task(lifecycle.watch_disk(lock.path, limits, on_disk), name="disk")
            probes.clear(health.STARTING)
            announce()
            tasks.create_task(_stop_when_told(chain, probes, stop), name="stop")
            tasks.create_task(_tell_of_halt(chain, probes), name="halt")
    except* _Stop:
        log.info("stopped")


async def _stop_when_told(chain: ChainRuntime, probes: Health, stop: asyncio.Event) -> None:
    await stop.wait()
    log.info("stopping")
    probes.hold("stopping", "the node is shutting down")
    await chain.drain(DRAIN_S)
    raise _Stop


async def _tell_of_halt(chain: ChainRuntime, probes: Health) -> None:
    probes.hold("halted", await chain.halt.wait())


def _mind_the_disk(chain: ChainRuntime, probes: Health, level: DiskLevel, free_bytes: int) -> None:
    """Stop what would fill the disk before it is full, and go on when there is room again."""
    if level is DiskLevel.AMPLE:
        log.info("disk has room again", free_bytes=free_bytes)
        probes.clear("disk")
        chain.ingress.release("disk")
    else:
        log.warning("disk is filling up", level=level.value, free_bytes=free_bytes)
        probes.hold("disk", f"{free_bytes} bytes left on the disk of the data directory")
        chain.ingress.hold("disk", "the sequencer's disk is full")
    if level is DiskLevel.FULL:
        chain.pause()
    else:
        chain.resume()


@dataclass(frozen=True, slots=True)
class DerivedHead:
    """What a derived chain ends with."""

    number: int
    hash: Hash32
    state_root: Hash32


async def derive(
    source: DerivationSource,
    genesis: Genesis,
    lock: DataDirectory,
    *,
    to: int | None,
    engine: str,
    on_progress: OnProgress = lambda _: None,
) -> DerivedHead:
    """Rebuild a chain from a DA layer and its genesis into a new data directory."""
    head: Header = await derive_chain(
        source, genesis, lock.path, to=to, engine=engine, pass_fds=(lock.descriptor,), on_progress=on_progress
    )
    return DerivedHead(head.number, head.hash, head.state_root)
