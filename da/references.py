"""Layers that record which batch their blobs belong to. An optional port beside ``DataAvailability``.

With a settlement layer the order of batches is the order of references in its inbox, and a reference names the
batch by its header hash, which plain blobs do not tell in full.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from sequencer.core.ports import BlobRef
from sequencer.core.types import Hash32


@runtime_checkable
class ReferencingLayer(Protocol):
    """A layer whose blobs are published together with a reference to their batch."""

    async def submit_batch(self, header_hash: Hash32, blobs: Sequence[bytes]) -> list[BlobRef]:
        """As ``DataAvailability.submit``, for blobs of the batch with this header hash."""
        ...

    async def find_batch(self, header_hash: Hash32, blobs: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        """As ``DataAvailability.find``, among what is referenced for this batch."""
        ...
