"""Keeping processors awake while transactions come in, so that a single one does not wait for them to wake up.

On the way of a transaction to its promise threads wait for each other and for the disk a dozen times. A processor that
has nothing else to do falls asleep each time, and waking takes longer than most of the work. The native extension has
threads that prevent it, at a priority at which they take time from nobody on the machine; without the extension the
node is slower when it is idle, and nothing else changes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from sequencer.core.native_extension import native_extension

_QUOTAS: Final = (Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
"""Where Linux shows the CPU quota of a container, by the version of control groups."""
_PROCESSORS: Final = 2
"""A transaction is never in more threads at a time: one hands it over, one takes it."""

_log = structlog.get_logger()


@contextmanager
def idle_poll(duration_ms: int) -> Iterator[Callable[[], None]]:
    """What to call when transactions come in: for ``duration_ms`` from then on one or two processors stay awake. The
    threads for it are there until the block is left.

    Does nothing for a duration of 0, without the native extension, and under a CPU quota, which polling would use up.
    """
    native = native_extension()
    if not duration_ms or native is None or any(map(_limits, _QUOTAS)):
        yield _nothing
        return
    try:
        poll = native.IdlePoll(duration_ms, min(_PROCESSORS, os.cpu_count() or 1))
    except OSError as error:  # no threads to be had; whoever needs one will say so
        _log.warning("no threads for idle polling", error=str(error))
        yield _nothing
        return
    try:
        yield poll.touch
    finally:
        poll.end()


def _nothing() -> None:
    """No processor is kept awake."""


def has_quota(text: str) -> bool:
    """``text`` of ``cpu.max`` ("QUOTA PERIOD") or ``cpu.cfs_quota_us`` ("QUOTA") names a limit."""
    return text.split()[:1] not in ([], ["max"], ["-1"])


def _limits(file: Path) -> bool:
    try:
        return has_quota(file.read_text())
    except OSError:
        return False
