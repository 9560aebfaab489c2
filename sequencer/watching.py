"""Compares what others saw signed with this node's chain and with what was posted, while the node runs.

A flashblock that stands on this node's chain is a promise kept so far, and costs no more than looking it up. Only one
that does not is shown to the watcher, next to what this node has at its place. Of posted batches the headers are read;
their contents are this node's own flashblocks where these give the header's root, else the body's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from sequencer.beacon import evidence_json
from sequencer.beacon.config import EvidenceConfig
from sequencer.beacon.feed import subscribed
from sequencer.beacon.metrics import EvidenceMetrics
from sequencer.beacon.service import WatchService
from sequencer.beacon.slashing import BatchContents
from sequencer.beacon.watcher import PostedBatch, Watcher
from sequencer.core.batch import BatchHeader
from sequencer.core.errors import ConfigError, Malformed, Temporary
from sequencer.core.evidence import ContradictedPromise, Equivocation, Evidence, SignedPromise, Verdict
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.ports import DataAvailability
from sequencer.core.types import Address, Hash32
from sequencer.posted_batches import PostedBatches

log = structlog.get_logger(__name__)

LOOK_BACK: Final = 32
"""Heights below the layer's head from which a start reads on."""
BATCH_BLOCKS: Final = 4_096
"""Blocks of one header beyond which its contents are not looked for on this node's chain."""

Signed = Callable[[int], Sequence[SignedFlashblock]]
"""A block's signed flashblocks on this node's chain, as far as there are any."""


class BrokenPromises:
    """Promises that are proven to be broken: evidence holds them, and this node's chain does not."""

    def __init__(self, signed: Signed) -> None:
        self._signed = signed
        self._flashblocks: dict[Hash32, int] = {}

    @property
    def transactions(self) -> int:
        """How many transactions they promised a place."""
        return sum(self._flashblocks.values())

    def add(self, evidence: Evidence) -> None:
        """Count what ``evidence`` shows; each flashblock once."""
        for promise in _promises(evidence):
            if not stands(promise.flashblock, self._signed):
                self._flashblocks[promise.flashblock.struct_hash] = promise.flashblock.transaction_count

    def load(self, folder: Path) -> None:
        """Count what earlier processes wrote down. Blocking."""
        for file in sorted(folder.glob("*.json")):
            try:
                self.add(evidence_json.load(file.read_text(encoding="utf-8")))
            except (Malformed, OSError) as error:
                log.warning("evidence that cannot be read is not counted", file=str(file), error=str(error))


class ChainWatch:
    """One chain's. Evidence goes into ``folder``; ``on_guilty`` hears of what is against ``own`` key."""

    def __init__(
        self,
        *,
        config: EvidenceConfig,
        watcher: Watcher,
        folder: Path,
        layer: DataAvailability,
        signed: Signed,
        own: Address,
        broken: BrokenPromises,
        on_guilty: Callable[[str], None],
        metrics: EvidenceMetrics,
    ) -> None:
        self._config = config
        self._service = WatchService(watcher, folder, metrics, self._on_found)
        self._layer = layer
        self._signed = signed
        self._own = own
        self._broken = broken
        self._on_guilty = on_guilty
        self._batches = PostedBatches(self._known_contents)
        self._height: int | None = None

    async def run(self) -> None:
        """Follow what was posted and what the nodes to watch show, for ever."""
        async with asyncio.TaskGroup() as sources:
            batches = self._service.follow_batches(self._new_batches, self._config.da_poll_ms / 1000)
            sources.create_task(batches, name="posted batches")
            for url in self._config.watch:
                promises = self._service.follow_promises(partial(self._doubtful, url))
                sources.create_task(promises, name=f"flashblocks of {url}")

    async def _on_found(self, evidence: Evidence, verdict: Verdict, file: Path) -> None:
        """A fault is proven, and the proof is in ``file``."""
        self._broken.add(evidence)
        if verdict.offender == self._own:
            self._on_guilty(f"evidence: a fault of this node's own key is proven ({verdict.fault.name}): {file}")

    async def _doubtful(self, url: str) -> AsyncIterator[SignedPromise]:
        """What others saw signed and is not on this node's chain, after what stands at its place."""
        try:
            async for promise in subscribed(url):
                place = promise.place
                here = [s for s in self._signed(place[0]) if s.flashblock.index == place[1]]
                if any(s.flashblock.struct_hash == promise.flashblock.struct_hash for s in here):
                    continue
                for ours in here:
                    yield SignedPromise(ours.flashblock, ours.signature)
                yield promise
        except (ConfigError, Malformed) as error:
            raise Temporary(str(error)) from None

    async def _new_batches(self) -> AsyncIterator[PostedBatch]:
        head = await self._layer.head()
        if self._height is None:
            self._height = max(1, head - LOOK_BACK)
        if self._height > head:
            return
        async for ref, blob in self._layer.blobs(self._height):
            for batch in await asyncio.to_thread(lambda read: list(self._batches.feed(read)), blob):
                yield batch
            self._height = max(self._height, ref.height + 1)

    def _known_contents(self, header: BatchHeader) -> tuple[Flashblock, ...] | None:
        if not 0 <= header.last_block - header.first_block < BATCH_BLOCKS:
            return None
        numbers = range(header.first_block, header.last_block + 1)
        ours = tuple(signed.flashblock for number in numbers for signed in self._signed(number))
        return ours if BatchContents.of(ours).belong_to(header) else None


def stands(flashblock: Flashblock, signed: Signed) -> bool:
    """It is on this node's chain."""
    return any(s.flashblock.struct_hash == flashblock.struct_hash for s in signed(flashblock.block_number))


def _promises(evidence: Evidence) -> Iterator[SignedPromise]:
    if isinstance(evidence, Equivocation):
        yield from (evidence.a, evidence.b)
    elif isinstance(evidence, ContradictedPromise):
        yield evidence.promised
