"""How fast the chain may grow while its batches wait to be public. Pure.

The load is how full the room for unposted blocks is, by bytes or by age, whichever is worse. Up to half of it nothing
happens; from there the gas of blocks falls in a straight line, so that the chain slows as smoothly as the backlog grows
and speeds up as smoothly as it drains; near the end no new transactions are taken, and at the end blocks are empty.
Blocks, flashblocks and batches go on at every load: an empty block is small, so posting can always drain what waits.
"""

from dataclasses import dataclass
from typing import Final

from sequencer.core.errors import ConfigError

_FREE_PERCENT: Final = 50
"""Load up to which nothing happens."""
_CLOSED_PERCENT: Final = 90
"""Load from which the pool takes nothing new."""


@dataclass(frozen=True, slots=True)
class BackPressureConfig:
    """How much may wait to be public."""

    max_unposted_bytes: int = 128 * 1024 * 1024
    """Transactions and batches that are not on the layer yet."""
    max_unposted_age_ms: int = 1_800_000
    """Age of the oldest block that is not on the layer yet; less than half of the window in which it must be."""

    def __post_init__(self) -> None:
        for name in ("max_unposted_bytes", "max_unposted_age_ms"):
            if getattr(self, name) < 1:
                raise ConfigError(f"back_pressure.{name}", getattr(self, name), "must be at least 1")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not on the layer: in the batcher and in the outbox together."""

    size_bytes: int
    oldest_ms: int | None
    """When the oldest of it was sealed, unix milliseconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What the builder and the pool may do."""

    gas_percent: int
    """Of the block's gas limit that a block may use; 0: empty blocks."""
    accepts_new: bool
    """The pool takes new transactions."""


FULL_PACE: Final = Pace(100, accepts_new=True)


def load_percent(waiting: Waiting, now_ms: int, config: BackPressureConfig) -> int:
    """How full the room is; may exceed 100."""
    age_ms = max(0, now_ms - waiting.oldest_ms) if waiting.oldest_ms is not None else 0
    by_size = 100 * waiting.size_bytes // config.max_unposted_bytes
    return max(by_size, 100 * age_ms // config.max_unposted_age_ms)


def pace(load: int) -> Pace:
    """What is allowed at a load in percent."""
    if load <= _FREE_PERCENT:
        return FULL_PACE
    left = max(0, 100 - load)
    return Pace(100 * left // (100 - _FREE_PERCENT), accepts_new=load < _CLOSED_PERCENT)


def together(unposted_bytes: int, unposted_ms: int | None, outbox_bytes: int, outbox_ms: int | None) -> Waiting:
    """Batcher and outbox as one."""
    times = [at_ms for at_ms in (unposted_ms, outbox_ms) if at_ms is not None]
    return Waiting(unposted_bytes + outbox_bytes, min(times, default=None))
