"""Every bound on bytes that come from a DA layer, where anyone may write.

Decoders check each count against these and against the bytes that are left before they allocate. The
bounds are part of the format: raising one is a new version, because nodes must agree on what is ignored.
"""

from typing import Final

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
"""Of an uncompressed body; a decompressor never writes more."""
MAX_BATCH_BYTES: Final = MAX_BODY_BYTES + 64 * 1024
"""Of an encoded batch: a body that did not shrink, its header and its signatures."""
MAX_BLOCKS: Final = 65_536
MAX_FLASHBLOCKS: Final = 65_536
MAX_TRANSACTIONS: Final = 262_144
MAX_SIGNATURES: Final = 128

MAX_BLOCK_BYTES: Final = 16 * 1024 * 1024
"""Raw transactions of one block: the builder keeps to it, since a block is never split between batches."""
MAX_BLOCK_FLASHBLOCKS: Final = MAX_FLASHBLOCKS // 4
MAX_BLOCK_TRANSACTIONS: Final = MAX_TRANSACTIONS // 4
"""As above, by count: with these three, any single block fits into a batch."""

MAX_ZSTD_WINDOW_BYTES: Final = 32 * 1024 * 1024
"""Memory that a zstd frame may ask of its reader."""

MAX_FRAMES: Final = 512
"""Of one batch."""
MAX_BLOB_FRAMES: Final = 1_024
"""Of one blob; what follows them is garbage."""
MAX_ALTERNATIVES: Final = 4
"""Different payloads kept for one frame of one batch, and different last frames of one batch."""
MAX_ASSEMBLIES: Final = 16
"""Combinations of alternatives tried each time a blob brings frames."""
MAX_CHANNELS: Final = 256
MAX_CHANNEL_BYTES: Final = 128 * 1024 * 1024
"""Payload of incomplete batches that is kept, over all channels; beyond it the oldest channel goes."""

MAX_HELD_BATCHES: Final = 1_024
MAX_HELD_BYTES: Final = 128 * 1024 * 1024
"""Complete, signed batches that wait for their predecessor; beyond it the one furthest ahead goes."""
MAX_REMEMBERED_BATCHES: Final = 4_096
"""Accepted batches whose hashes are kept in order to tell a duplicate from a fork."""
