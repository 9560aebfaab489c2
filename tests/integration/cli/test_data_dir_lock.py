"""The lock of the data directory across real processes and ``kill -9``."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sequencer.core.errors import Temporary
from sequencer.lifecycle import hold_data_directory

HOLD = """
import os, sys, pathlib
from sequencer.lifecycle import hold_data_directory
with hold_data_directory(pathlib.Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork() == 0:
        os.read(int(sys.argv[2]), 1)   # a worker that outlives its parent until the test says so
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, *arguments: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with pytest.raises(Temporary), hold_data_directory(tmp_path, wait_s=0):
        pass
    end(process)
    with hold_data_directory(tmp_path, wait_s=0):
        pass


def test_a_worker_of_a_killed_process_is_waited_for(tmp_path: Path) -> None:
    import os
    import threading

    reading, writing = os.pipe()
    process = holder(tmp_path, str(reading), pass_fds=(reading,))
    os.close(reading)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(Temporary), hold_data_directory(tmp_path, wait_s=0):
        pass
    timer = threading.Timer(0.2, os.close, (writing,))
    timer.start()
    with hold_data_directory(tmp_path, wait_s=30):
        pass
    timer.join()
    process.communicate()
