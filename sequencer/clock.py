"""The wall clock: the one place where the node reads it. Everything else is handed what it says."""

import time


def clock_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000
