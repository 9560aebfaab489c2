"""Moves batches along, one step at a time: look, send, read back, watch (protocol, section 5).

Every step reads a row, asks the layer at most a few things, and writes the row's next state. It may be cut
off at any point: the next process finds a row that is at worst behind the truth, and looks on the layer
before it sends. Errors of the layer never leave here; they delay the row.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from da import blob, inclusion
from da.config import SubmitterConfig
from da.cost import PaidLayer
from da.errors import TooLarge
from da.inclusion import DaHeads, Progress
from da.metrics import DaMetrics
from da.outbox import Outbox
from da.references import ReferencingLayer
from da.submission import State, Submission
from sequencer.core.errors import Fatal, Rejected, Temporary, Unknown
from sequencer.core.ports import BlobRef, BlobStatus, DataAvailability

_log = structlog.get_logger()


class Submitter:
    """The rows that are not final, and the layer. One caller at a time."""

    def __init__(
        self,
        outbox: Outbox,
        layer: DataAvailability,
        config: SubmitterConfig,
        clock_ms: Callable[[], int],
        rng: random.Random,
        metrics: DaMetrics,
    ) -> None:
        self._outbox = outbox
        self._layer = layer
        self._config = config
        self._clock_ms = clock_ms
        self._rng = rng
        self._metrics = metrics
        self._rows: list[Progress] = []
        self._last_final: Submission | None = None

    @property
    def rows(self) -> Sequence[Submission]:
        """Every batch that is not final, in order."""
        return [progress.row for progress in self._rows]

    @property
    def last_final(self) -> Submission | None:
        """The newest final batch."""
        return self._last_final

    @property
    def next_from_height(self) -> int:
        """No batch after the known ones stands below this height: batches are first sent strictly in order, so
        not before the layer was where it was when the newest known one was first sent."""
        rows = [self._last_final, *self.rows] if self._last_final else self.rows
        return max((row.from_height for row in rows), default=0)

    @property
    def heads(self) -> DaHeads:
        """What is safe and final now."""
        return inclusion.heads(self._last_final, self._rows)

    async def load(self) -> None:
        """Take up the rows on disk."""
        self._last_final, rows = await asyncio.to_thread(self._outbox.load)
        self._rows = [Progress(row) for row in rows]

    def check_follows(self, row: Submission) -> None:
        """Raises ``Fatal`` unless ``row`` is the batch after the newest one."""
        newest = self._rows[-1].row if self._rows else self._last_final
        if newest is not None and row.sequence != newest.sequence + 1:
            raise Fatal(f"outbox: batch {row.sequence} does not follow batch {newest.sequence}")

    def track(self, row: Submission) -> None:
        """A new row was written to the outbox."""
        self._rows.append(Progress(row))

    def due_in_ms(self) -> int | None:
        """How long until the next step is due; None if there is nothing to do."""
        progress = inclusion.next_step(self._rows)
        return None if progress is None else max(0, progress.due_ms - self._clock_ms())

    async def step(self) -> Submission | None:
        """Do the step that is due, if one is. Returns the row if its state changed."""
        progress = inclusion.next_step(self._rows)
        if progress is None or progress.due_ms > self._clock_ms():
            return None
        before = progress.row
        try:
            if before.state is State.PREPARED:
                await self._post(progress)
            else:
                await self._check(progress)
            progress.failures = 0
        except (Temporary, Unknown, Rejected) as error:
            self._delay(progress, error)
        if progress.row.state is before.state:
            return None
        self._metrics.transition(before.state, progress.row.state)
        return progress.row

    async def _post(self, progress: Progress) -> None:
        """Look for the batch; send what is not there."""
        row = progress.row
        blobs = await self._blobs(row)
        refs = await self._find(row, blobs)
        if None in refs:
            if not inclusion.may_resend(row, self._clock_ms(), self._config):
                progress.due_ms = self._clock_ms() + self._config.poll_interval_ms
                return
            height = 0 if row.attempts else await self._layer.head()
            attempted = row.attempted(self._clock_ms(), height)
            await self._write(attempted)
            progress.row = attempted
            try:
                refs = await self._send(attempted, blobs, refs)
            except (Temporary, Rejected) as refusal:
                await self._not_sent(progress, refusal, found=any(refs))
                raise
        await self._move(progress, progress.row.submitted(tuple(ref for ref in refs if ref is not None)))

    async def _find(self, row: Submission, blobs: Sequence[bytes]) -> list[BlobRef | None]:
        if row.attempts == 0:
            return [None] * len(blobs)
        if isinstance(self._layer, ReferencingLayer):
            return await self._layer.find_batch(row.header_hash, blobs, row.from_height)
        commitments = await asyncio.to_thread(lambda: [self._layer.commitment(content) for content in blobs])
        return await self._layer.find(commitments, row.from_height)

    async def _send(
        self, row: Submission, blobs: Sequence[bytes], refs: Sequence[BlobRef | None]
    ) -> list[BlobRef | None]:
        missing = [content for content, ref in zip(blobs, refs, strict=True) if ref is None]
        self._metrics.sent(len(missing), sum(map(len, missing)))
        if isinstance(self._layer, ReferencingLayer):
            new = iter(await self._layer.submit_batch(row.header_hash, missing))
        else:
            new = iter(await self._layer.submit(missing))
        return [next(new) if ref is None else ref for ref in refs]

    async def _not_sent(self, progress: Progress, refusal: Temporary | Rejected, *, found: bool) -> None:
        """Certainly nothing was published: no need to wait before trying again, and what is too large is packed
        smaller, unless a part of it stands on the layer already."""
        progress.row = progress.row.not_sent()
        smaller = progress.row.blob_size_bytes // 2
        if isinstance(refusal, TooLarge) and not found and smaller >= blob.SMALLEST_BLOB_BYTES:
            progress.row = progress.row.repacked(smaller)
            await self._write(progress.row)

    async def _check(self, progress: Progress) -> None:
        """Is the batch where it should be, byte for byte, and how final is it?"""
        row = progress.row
        statuses = [await self._layer.status(ref) for ref in row.refs]
        if BlobStatus.MISSING in statuses:
            if inclusion.is_lost(row, self._clock_ms(), self._config):
                await self._lose(progress, "not on the layer")
            else:
                progress.due_ms = self._clock_ms() + self._config.poll_interval_ms
        elif row.state is State.SUBMITTED:
            if gone := await self._gone():
                gone.due_ms = 0  # it is looked at first: nothing becomes safe with a batch that a reorg took
                progress.due_ms = self._clock_ms()
            elif await self._reads_back(row):
                await self._move(progress, row.included(*await self._cost(row)))
            else:
                await self._lose(progress, "other bytes on the layer")
        elif set(statuses) == {BlobStatus.FINAL} and progress is self._rows[0]:
            await self._move(progress, row.final())
            self._last_final = progress.row
            del self._rows[0]
        else:
            progress.due_ms = self._clock_ms() + self._config.poll_interval_ms

    async def _gone(self) -> Progress | None:
        """The first batch that was read back and no longer stands; None if all do."""
        for progress in self._rows:
            if progress.row.state is State.INCLUDED:
                statuses = [await self._layer.status(ref) for ref in progress.row.refs]
                if BlobStatus.MISSING in statuses:
                    return progress
        return None

    async def _cost(self, row: Submission) -> tuple[int, str]:
        """What the batch has cost, if the layer can tell. Never in the way of anything."""
        if not isinstance(self._layer, PaidLayer):
            return 0, ""
        try:
            sizes = [len(content) for content in await self._blobs(row)]
            cost = await self._layer.cost(row.refs, sizes)
        except (Temporary, Rejected) as error:
            _log.warning("da_cost_unknown", sequence=row.sequence, error=str(error))
            return 0, ""
        return cost.amount, cost.unit

    async def _reads_back(self, row: Submission) -> bool:
        blobs = await self._blobs(row)
        return [await self._layer.fetch(ref) for ref in row.refs] == blobs

    async def _blobs(self, row: Submission) -> list[bytes]:
        encoded = await asyncio.to_thread(self._outbox.encoded, row)
        return blob.pack(row.header_hash, encoded, row.blob_size_bytes)

    async def _lose(self, progress: Progress, reason: str) -> None:
        _log.warning("da_batch_lost", sequence=progress.row.sequence, reason=reason)
        await self._move(progress, progress.row.lost())

    async def _move(self, progress: Progress, row: Submission) -> None:
        await self._write(row)
        progress.row = row
        progress.due_ms = self._clock_ms()

    async def _write(self, row: Submission) -> None:
        await asyncio.to_thread(self._outbox.update, row)

    def _delay(self, progress: Progress, error: Exception) -> None:
        progress.failures += 1
        wait_ms = inclusion.backoff_ms(progress.failures, self._rng.random(), self._config)
        progress.due_ms = self._clock_ms() + wait_ms
        self._metrics.failed(error)
        report = _log.error if isinstance(error, Rejected) else _log.warning
        report(
            "da_step_failed",
            sequence=progress.row.sequence,
            state=progress.row.state.name.lower(),
            error=str(error),
            failures=progress.failures,
            retry_ms=wait_ms,
        )
