"""Threads that read give way to everyone else, and nobody else does."""

import os
import sys
import threading

import pytest

from sequencer.read_threads import NICENESS, read_threads


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows priorities of threads")
def test_reads_give_way_to_other_threads() -> None:
    before = niceness()
    with read_threads() as threads:
        assert threads.submit(niceness).result() == max(before, NICENESS)
    assert niceness() == before
