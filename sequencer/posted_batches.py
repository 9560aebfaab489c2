"""Every batch that stands on DA, whether it has effect or not, as the watcher for faults reads it. Pure.

Derivation drops what has no effect: forks, doubles, batches with a false root. These are what evidence is made
of, because a signature binds whatever becomes of the batch. So the frames are joined here once more, and
nothing is judged but that header and body belong together.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from da import body, codec, frame
from da.channel import Assembly, ChannelBank
from sequencer.beacon.watcher import PostedBatch
from sequencer.core.batch import BatchHeader
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import Flashblock

Contents: TypeAlias = Callable[[BatchHeader], tuple[Flashblock, ...] | None]
"""The flashblocks that a header commits to, for who knows them without reading the body."""


class PostedBatches:
    """Feed it blobs in the order of the layer. Memory is bounded as the channel bank's is."""

    def __init__(self, known: Contents = lambda _: None) -> None:
        self._channels = ChannelBank()
        self._known = known

    def feed(self, blob: bytes) -> Iterator[PostedBatch]:
        """The batches that ``blob`` completes."""
        for assembly in self._channels.add(frame.parse(blob).frames):
            posted = _read(assembly, self._known)
            if posted is not None:
                if posted.flashblocks is not None:  # or others may still bring the true body under this id
                    self._channels.forget(assembly.batch_id)
                yield posted


def _read(assembly: Assembly, known: Contents) -> PostedBatch | None:
    try:
        sealed = codec.decode(assembly.encoded)
    except Malformed:
        return None
    if sealed.header.struct_hash[: frame.ID_BYTES] != assembly.batch_id:
        return None
    flashblocks = known(sealed.header)
    if flashblocks is not None:
        return PostedBatch(sealed.header, sealed.signatures, flashblocks)
    try:
        blocks = body.decode(sealed.open())
        flashblocks = tuple(entry.flashblock for block in blocks for entry in block.flashblocks)
    except Malformed:
        flashblocks = None
    return PostedBatch(sealed.header, sealed.signatures, flashblocks)
