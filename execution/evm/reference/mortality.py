"""No process outlives the one that started it, whatever kills that one."""

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int) -> None:
    """From now on die with the process ``parent``, and leave when to end to it: ignore Ctrl-C and SIGTERM.

    Linux sends the signal when the *thread* that started this process ends, so starters do it from a thread
    that stays.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)
