"""A process that appends in a loop is killed with SIGKILL: what it had acknowledged is there."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from sequencer.consensus.local.service import LocalLog
from sequencer.core.entries import BatchClosed
from tests.unit.consensus.log_entries import GENESIS, batch

CYCLES = int(os.environ.get("LOG_KILL_CYCLES", "8"))

CHILD = """
import asyncio, os, sys
sys.stdout = sys.stderr  # file descriptor 1 carries positions only
from pathlib import Path
from sequencer.consensus.local.service import LocalLog
from tests.unit.consensus.log_entries import GENESIS, batch

async def main():
    with LocalLog(Path(sys.argv[1]), GENESIS, segment_bytes=1 << 16) as log:
        async def one(position):
            await log.append([batch(position)], position, 0)
            os.write(1, b"%d\\n" % position)
        while True:
            start = log.next_position
            await asyncio.gather(*(one(start + i) for i in range(3)))

asyncio.run(main())
"""


@pytest.mark.timeout(120)
def test_every_acknowledged_entry_survives_sigkill(tmp_path: Path) -> None:
    random = Random(9)
    folder = tmp_path / "log"
    acknowledged = -1
    for _ in range(CYCLES):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert child.stdout is not None
        for _ in range(random.randint(1, 400)):
            line = child.stdout.readline()
            assert line, "the child died by itself"
            acknowledged = int(line)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
        child.stdout.close()
        child.wait()
        acknowledged = max([acknowledged, *(int(line) for line in rest if line.endswith(b"\n"))])
        with LocalLog(folder, GENESIS) as log:
            assert log.next_position > acknowledged
            entries = list(log.read(0))
        assert entries == [(i, batch(i)) for i in range(len(entries))]
    assert isinstance(entries[-1][1], BatchClosed)
