"""Batches that stand on the layer already enter the outbox of a node that was made from the layer.

A batch that is final there gets its last row at once. One that is not enters with its bytes as one that was perhaps
sent: the submitter looks for it, watches it, and sends it again should a reorg take it away, as if this node had
posted it. So the next batch follows on the layer without a gap, and nothing is posted twice.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from da import frame
from da.derive import AcceptedBatch
from da.outbox import Outbox
from da.submission import State, Submission
from sequencer.core.block import BlockRef
from sequencer.core.errors import Fatal
from sequencer.core.ports import BlobRef, BlobStatus, DataAvailability

_SETTLE_AFTER: Final = 64
"""So many batches may wait to be asked whether they are final: each question costs a read of the layer."""
_TRACES_KEPT: Final = 4096
"""Batch ids whose blobs are remembered until the batch is whole; anyone may write ids to a layer."""


@dataclass(slots=True)
class _Trace:
    """The blobs that carried frames of a batch: where the first one stands, how many, and the size of the largest."""

    height: int
    blobs: int = 0
    size_bytes: int = 0


class Adoption:
    """Feed it what derivation is fed, then every batch that took effect, in order."""

    def __init__(self, outbox: Outbox, layer: DataAvailability, clock_ms: Callable[[], int]) -> None:
        self._outbox = outbox
        self._layer = layer
        self._clock_ms = clock_ms
        self._traces: OrderedDict[bytes, _Trace] = OrderedDict()
        self._waiting: list[tuple[Submission, BlobRef]] = []

    def saw(self, ref: BlobRef, blob: bytes) -> None:
        """A blob of the layer, before what it completes is adopted."""
        for batch_id in {piece.batch_id for piece in frame.parse(blob).frames}:
            trace = self._traces.setdefault(batch_id, _Trace(ref.height))
            trace.blobs += 1
            trace.size_bytes = max(trace.size_bytes, len(blob))
            if len(self._traces) > _TRACES_KEPT:
                self._traces.popitem(last=False)

    async def adopt(self, batch: AcceptedBatch) -> None:
        """Write the batch's row, unless an earlier attempt did. Raises ``Fatal`` if another batch has its place."""
        header = batch.header
        row = await asyncio.to_thread(self._outbox.row, header.sequence)
        trace = self._traces.pop(header.struct_hash[: frame.ID_BYTES], _Trace(batch.ref.height))
        if row is None:
            encoded = batch.sealed.encoded
            row = self._row(batch, len(encoded), trace)
            await asyncio.to_thread(self._outbox.insert, row, encoded)
        elif row.header_hash != header.struct_hash:
            raise Fatal(f"outbox: batch {header.sequence} is 0x{row.header_hash.hex()}, the layer has another one")
        if row.state is not State.FINAL:
            self._waiting.append((row, batch.ref))
        if len(self._waiting) >= _SETTLE_AFTER:
            await self.settle()

    async def settle(self) -> None:
        """Give the batches that are final on the layer their last row. Raises ``Temporary``."""
        highest = max((ref for _, ref in self._waiting), key=lambda ref: ref.height, default=None)
        if highest is not None and await self._is_final(highest):  # then those below it are, too
            final = len(self._waiting)
        else:
            final = 0
            while final < len(self._waiting) and await self._is_final(self._waiting[final][1]):
                final += 1
        for row, ref in self._waiting[:final]:
            await asyncio.to_thread(self._outbox.update, row.submitted((ref,)).final())
        del self._waiting[:final]

    async def _is_final(self, ref: BlobRef) -> bool:
        return await self._layer.status(ref) is BlobStatus.FINAL

    def _row(self, batch: AcceptedBatch, size_bytes: int, trace: _Trace) -> Submission:
        header, limit = batch.header, self._layer.limits().blob_size_bytes
        return Submission(
            sequence=header.sequence,
            header_hash=header.struct_hash,
            first_block=header.first_block,
            last_block=BlockRef(header.last_block, header.last_block_hash),
            data_hash=header.data_hash,
            size_bytes=size_bytes,
            blob_size_bytes=trace.size_bytes if trace.blobs > 1 else max(limit, trace.size_bytes),
            prepared_ms=self._clock_ms(),
            transactions=sum(len(block.transactions) for block in batch.blocks),
            transaction_bytes=sum(len(raw) for block in batch.blocks for raw in block.transactions),
        ).perhaps_sent(trace.height)
