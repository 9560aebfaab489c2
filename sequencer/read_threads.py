"""The threads that execute calls and walk the state, where they hold nobody up who writes.

A call runs without Python's lock, so that with two of them a small machine has no core left for the event loop and
the builder. The kernel is told whom to prefer: what reads runs when nothing else wants to.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

READ_THREADS: Final = 8
NICENESS: Final = 15
"""A share of some 3 % against a thread of usual priority that wants the same core."""


def read_threads() -> ThreadPoolExecutor:
    """Threads for reads, of low priority where the system knows priorities of threads."""
    return ThreadPoolExecutor(READ_THREADS, thread_name_prefix="reads", initializer=_yield_to_others)


def _yield_to_others() -> None:
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
