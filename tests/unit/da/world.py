"""A world around the DA service: a disk and a layer that survive crashes, a clock, and a way to crash anywhere.

Every write to disk and every call to the layer is a *point*; a process can be made to die just before or just
after any of them. What died is gone; disk, layer and clock stay.
"""

import random
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry

from da.codec import SignedBatch
from da.config import SubmitterConfig
from da.derive import AcceptedBatch
from da.inclusion import DaHeads
from da.metrics import DaMetrics
from da.service import DaService
from sequencer.core.errors import Temporary
from sequencer.core.ports import BlobRef, BlobStatus, DaLimits, DataAvailability, Storage
from sequencer.core.views import PostedBatch
from tests.unit.da.chains import derivation

CONFIG = SubmitterConfig(
    resend_after_ms=1000, confirm_timeout_ms=3000, poll_interval_ms=200, backoff_base_ms=100, backoff_max_ms=1000
)


class Crash(BaseException):
    """The process dies here."""


class Points:
    """Counts the points of a process and kills it at one of them."""

    def __init__(self, die_at: int | None = None) -> None:
        self.passed = 0
        self._die_at = die_at

    def point(self) -> None:
        self.passed += 1
        if self.passed == self._die_at:
            raise Crash


class Disk:
    """Storage in memory."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.full = False

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted((key for key in self.rows if start <= key < stop), reverse=reverse)
        return iter([(key, self.rows[key]) for key in keys])

    def write(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        if self.full:
            raise Temporary("no space left on device")
        self.rows.update(puts)
        for key in deletes:
            self.rows.pop(key, None)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class MortalDisk(Disk):
    """A disk as one process sees it: it may die before or after each write."""

    def __init__(self, disk: Disk, points: Points) -> None:
        self._disk = disk
        self._points = points

    def get(self, key: bytes) -> bytes | None:
        return self._disk.get(key)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        return self._disk.scan(start, stop, reverse=reverse)

    def write(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        self._points.point()
        self._disk.write(puts, deletes)
        self._points.point()


class MortalLayer:
    """A layer as one process sees it: it may die before or after each call."""

    def __init__(self, layer: DataAvailability, points: Points) -> None:
        self._layer = layer
        self._points = points

    @property
    def layer(self) -> str:
        return self._layer.layer

    def limits(self) -> DaLimits:
        return self._layer.limits()

    def commitment(self, blob: bytes) -> bytes:
        return self._layer.commitment(blob)

    async def submit(self, blobs: Sequence[bytes]) -> list[BlobRef]:
        self._points.point()
        refs = await self._layer.submit(blobs)
        self._points.point()
        return refs

    async def find(self, commitments: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        self._points.point()
        return await self._layer.find(commitments, from_height)

    async def status(self, ref: BlobRef) -> BlobStatus:
        self._points.point()
        return await self._layer.status(ref)

    async def fetch(self, ref: BlobRef) -> bytes:
        self._points.point()
        return await self._layer.fetch(ref)

    async def head(self) -> int:
        return await self._layer.head()

    def blobs(self, from_height: int) -> AsyncIterator[tuple[BlobRef, bytes]]:
        return self._layer.blobs(from_height)


class WorldLayer(DataAvailability, Protocol):
    """A layer that tests can push around."""

    def advance(self) -> None:
        """Time passes there."""

    def reorg(self, depth: int) -> None:
        """Its newest heights are replaced, as far as they are not final."""

    def inject(self, blob: bytes) -> None:
        """Somebody else's blob lands."""

    def contents(self) -> list[tuple[BlobRef, bytes]]:
        """Every blob that stands there now, in order."""


class World:
    """What outlives processes, and what was ever said about heads."""

    def __init__(self, layer: WorldLayer, batches: Sequence[SignedBatch], config: SubmitterConfig = CONFIG) -> None:
        self.layer = layer
        self.batches = batches
        self.config = config
        self.disk = Disk()
        self.now_ms = 1_000_000
        self.heads: list[DaHeads] = []
        self.states: list[tuple[int, str]] = []
        self._derivable_before = 0

    def on_batch(self, batch: PostedBatch) -> None:
        self.states.append((batch.sequence, batch.state))

    def on_heads(self, heads: DaHeads) -> None:
        """Whatever is called safe can be derived from the layer, or could until a reorg not yet noticed."""
        if heads.safe is not None:
            assert heads.safe.number <= max(self._derivable_before, derived_block(self.layer))
        self.heads.append(heads)

    def reorg(self, depth: int) -> None:
        """The layer's newest heights are gone, as far as they are not final."""
        self._derivable_before = max(self._derivable_before, derived_block(self.layer))
        self.layer.reorg(depth)

    def inject(self, blob: bytes) -> None:
        """Somebody else's blob lands among ours."""
        self.layer.inject(blob)

    def service(self, points: Points | None = None, rng: random.Random | None = None) -> DaService:
        """A new process, which may die at one of ``points``."""
        storage: Storage = MortalDisk(self.disk, points) if points else self.disk
        layer: DataAvailability = MortalLayer(self.layer, points) if points else self.layer
        metrics = DaMetrics(CollectorRegistry())
        return DaService(
            storage,
            layer,
            self,
            metrics,
            config=self.config,
            clock_ms=lambda: self.now_ms,
            rng=rng or random.Random(1),
        )

    async def run(self, service: DaService, until_ms: int) -> None:
        """A process's life: take up the outbox, enqueue what the log decided and the outbox lacks, post."""
        await service.load()
        latest = service.latest
        for batch in self.batches[latest.sequence if latest else 0 :]:
            await service.enqueue(batch)
            await service.advance()
        while self.now_ms < until_ms and not self.is_done(service):
            wait_ms = await service.advance()
            if wait_ms is None:
                return
            self.now_ms += wait_ms
            self.layer.advance()

    def is_done(self, service: DaService) -> bool:
        finalized = service.heads.finalized
        return finalized is not None and finalized.number == self.batches[-1].header.last_block


def derived_block(layer: WorldLayer) -> int:
    """How far the chain can be derived from the layer as it is."""
    target = derivation()
    for ref, blob in layer.contents():
        target.feed(ref, blob)
    return target.tip.last_block.number


def assert_everything_took_effect_once(world: World) -> None:
    """Deriving from the layer gives every batch of the world, in order, each exactly once (I4)."""
    target = derivation()
    events = [event for ref, blob in world.layer.contents() for event in target.feed(ref, blob)]
    taken = [event.header for event in events if isinstance(event, AcceptedBatch)]
    assert taken == [batch.header for batch in world.batches]
    assert target.waiting == ()
