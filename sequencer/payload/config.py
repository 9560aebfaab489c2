"""Settings of block building."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PayloadConfig:
    """How often blocks are sealed and how much goes into a flashblock."""

    block_time_ms: int = 1000
    """Milliseconds between two blocks; also sealed when empty."""
    flashblock_interval_ms: int = 10
    """Longest time for which executed transactions wait before their flashblock closes."""
    flashblock_max_transactions: int = 2000
    """Most transactions in one flashblock."""
    flashblock_max_size_bytes: int = 768 * 1024
    """Most bytes of raw transactions in one flashblock; the protocol allows 1 MiB for the whole entry."""
    block_max_transactions: int = field(default=65_000, metadata={"minimum": 1, "maximum": 65_536})
    """Most transactions in one block; a batch on DA holds no larger one."""
    block_max_size_bytes: int = field(default=15 * 1024 * 1024, metadata={"minimum": 131_072, "maximum": 16_777_216})
    """Most bytes of raw transactions in one block; a batch on DA holds no larger one."""
    block_max_flashblocks: int = field(default=16_000, metadata={"minimum": 1, "maximum": 16_384})
    """Most flashblocks in one block; a batch on DA holds no larger one."""
