"""Sealing, keeping the tries up and recovering senders at once never wait for each other in a circle."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

CHILD = "tests.integration.execution.native.crowded_child"
STUCK_S = 120
"""It takes a few seconds; a circle takes for ever."""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_one_thread_for_parallel_work_is_enough(threads: str) -> None:
    environment = os.environ | {"RAYON_NUM_THREADS": threads}
    done = subprocess.run([sys.executable, "-m", CHILD], env=environment, capture_output=True, timeout=STUCK_S)
    assert (done.returncode, done.stdout) == (0, b"12\n"), done.stderr
