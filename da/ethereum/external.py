"""Blobs on another layer that the inbox is to reference: only once they stand there and were read back.

A reference to blobs that never landed would be worth nothing, so nothing is believed: the layer is looked at before
anything is sent, because an earlier attempt may have landed, and again after it.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from sequencer.core.errors import Unknown
from sequencer.core.ports import BlobRef, DataAvailability

LOOK_BACK_HEIGHTS: Final = 64
"""How far back an earlier attempt is looked for; one that is older is posted again, which does no harm."""
_LOOKS: Final = 10
"""How often, a poll apart, a submission that succeeded is looked for."""


async def publish(layer: DataAvailability, blobs: Sequence[bytes], poll_interval_ms: int) -> list[BlobRef]:
    """Where the blobs stand, read back. Raises as ``DataAvailability.submit``."""
    commitments = [layer.commitment(blob) for blob in blobs]
    from_height = max(1, await layer.head() - LOOK_BACK_HEIGHTS)
    refs = await layer.find(commitments, from_height)
    missing = [blob for blob, ref in zip(blobs, refs, strict=True) if ref is None]
    if missing:
        await layer.submit(missing)
    for _ in range(_LOOKS):
        refs = await layer.find(commitments, from_height)
        found = [ref for ref in refs if ref is not None]
        if len(found) == len(blobs):
            return found
        await asyncio.sleep(poll_interval_ms / 1000)
    raise Unknown(f"{layer.layer}: a submission that succeeded is not there")
