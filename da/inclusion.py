"""Which batch to move next, when, and what is safe and final. Pure: no clock, no layer, no disk.

Batches are sent strictly in order: while one is prepared, no later one is sent; watching goes on for all.
A batch is safe while it and every batch before it are read back from the layer, and final in the same way.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from da.config import SubmitterConfig
from da.submission import State, Submission
from sequencer.core.block import BlockRef


@dataclass(slots=True)
class Progress:
    """A row and what is known about it in this process only."""

    row: Submission
    due_ms: int = 0
    failures: int = 0
    """Steps in a row that ended without an answer."""


@dataclass(frozen=True, slots=True)
class DaHeads:
    """The last blocks that are safe and final by DA; None: nothing beyond genesis."""

    safe: BlockRef | None
    finalized: BlockRef | None


def next_step(rows: Sequence[Progress]) -> Progress | None:
    """The row whose step is due first, the earlier batch first at equal times; None if there is nothing to do."""
    return min(_eligible(rows), key=lambda progress: progress.due_ms, default=None)


def _eligible(rows: Sequence[Progress]) -> Iterable[Progress]:
    sending = False
    for progress in rows:
        if progress.row.state is not State.PREPARED:
            yield progress
        elif not sending:
            sending = True
            yield progress


def heads(last_final: Submission | None, rows: Sequence[Progress]) -> DaHeads:
    """Safe and finalized, from the rows after the newest final one."""
    finalized = last_final.last_block if last_final else None
    safe = finalized
    for progress in rows:
        if progress.row.state < State.INCLUDED:
            break
        safe = progress.row.last_block
    return DaHeads(safe, finalized)


def may_resend(row: Submission, now_ms: int, config: SubmitterConfig) -> bool:
    """The last attempt is so long ago that what was not found by now will not come."""
    return row.attempts == 0 or now_ms - row.attempted_ms >= config.resend_after_ms


def is_lost(row: Submission, now_ms: int, config: SubmitterConfig) -> bool:
    """A row whose blobs are not on the layer. One that was there has been reorged away; one that was never
    seen gets some time to show up."""
    return row.state is State.INCLUDED or now_ms - row.attempted_ms >= config.confirm_timeout_ms


def backoff_ms(failures: int, jitter: float, config: SubmitterConfig) -> int:
    """How long to wait after ``failures`` in a row: doubling up to a limit, times 0.5 to 1 by ``jitter`` (0 to 1)."""
    longest = min(config.backoff_max_ms, config.backoff_base_ms * 2 ** min(failures - 1, 20))
    return max(1, int(longest * (0.5 + jitter / 2)))
