"""Watches for faults and writes the evidence down: ``<folder>/<id>.json``, one file a fault.

A file is there whole or not at all, and its name is the evidence's id, so finding the same fault again after
a restart changes nothing.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from sequencer.beacon import evidence_json
from sequencer.beacon.metrics import EvidenceMetrics
from sequencer.beacon.watcher import PostedBatch, Watcher
from sequencer.core.encoding import data
from sequencer.core.errors import Temporary
from sequencer.core.evidence import Evidence, SignedPromise, Verdict, verify
from sequencer.core.types import Hash32

log = structlog.get_logger(__name__)

RECONNECT_S: Final = 1.0
"""Pause before a source that failed is opened again."""


class WatchService:
    """Feeds a watcher and keeps what it finds. ``on_found`` hears of each fault once its file is written."""

    def __init__(
        self,
        watcher: Watcher,
        folder: Path,
        metrics: EvidenceMetrics,
        on_found: Callable[[Evidence, Verdict, Path], Awaitable[None]],
    ) -> None:
        self._watcher = watcher
        self._folder = folder
        self._metrics = metrics
        self._on_found = on_found
        self._found: list[Evidence] = []
        """Not written yet: the watcher tells of each once, so what the disk refuses is kept for the next time."""
        self._writing = asyncio.Lock()

    async def follow_promises(self, source: Callable[[], AsyncIterator[SignedPromise]]) -> None:
        """Serve for ever, opening the source again when it fails."""
        while True:
            try:
                async for signed in source():
                    await self.promise(signed)
            except Temporary as error:
                log.warning("no flashblocks to watch", error=str(error))
            await asyncio.sleep(RECONNECT_S)

    async def follow_batches(self, source: Callable[[], AsyncIterator[PostedBatch]], pause_s: float) -> None:
        """Serve for ever: ``source`` gives what is new since it was last asked."""
        while True:
            try:
                async for batch in source():
                    await self.batch(batch)
            except Temporary as error:
                log.warning("no batches to watch", error=str(error))
            await asyncio.sleep(pause_s)

    async def promise(self, signed: SignedPromise) -> None:
        """Compare a signed flashblock."""
        self._metrics.promises.inc()
        await self._keep(self._watcher.saw(signed))

    async def batch(self, posted: PostedBatch) -> None:
        """Compare a posted batch."""
        self._metrics.batches.inc()
        await self._keep(self._watcher.posted(posted))

    async def _keep(self, found: Sequence[Evidence]) -> None:
        self._metrics.open_questions.set(self._watcher.open_questions)
        self._metrics.forgotten.set(self._watcher.forgotten)
        self._found += found
        async with self._writing:
            while self._found:
                await self._write(self._found[0])
                del self._found[0]

    async def _write(self, evidence: Evidence) -> None:
        verdict = verify(evidence)
        if verdict.id is not None and verdict.offender is not None:
            file = await asyncio.to_thread(write, self._folder, verdict.id, evidence)
            self._metrics.found.labels(fault=verdict.fault.name).inc()
            log.error("fault proven", fault=verdict.fault.name, offender=data(verdict.offender), file=str(file))
            await self._on_found(evidence, verdict, file)


def write(folder: Path, evidence_id: Hash32, evidence: Evidence) -> Path:
    """The evidence's file, written durably if it is not there. Blocking. Raises ``Temporary`` when the disk refuses."""
    file = folder / f"{evidence_id.hex()}.json"
    temporary = folder / f".{file.name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            with temporary.open("w", encoding="utf-8") as out:
                out.write(evidence_json.dump(evidence))
                out.flush()
                os.fsync(out.fileno())
            temporary.rename(file)
            _sync_names(folder)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise Temporary(f"evidence folder: {error}") from error
    return file


def _sync_names(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
