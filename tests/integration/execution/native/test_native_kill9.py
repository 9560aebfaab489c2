"""A process killed in the middle of a commit leaves the state before it or after it, whole."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sequencer.core.types import Hash32
from tests.integration.execution.native.growing_chain import GENESIS, build

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

KILLS = int(os.environ.get("KILLS", "6"))
CHILD = "tests.integration.execution.native.committing_child"


def commit_until_killed(folder: Path, parent_hash: Hash32, lines: int) -> dict[int, Hash32]:
    """The blocks that a child announced before it died, by number."""
    command = [sys.executable, "-m", CHILD, str(folder), parent_hash.hex()]
    announced: dict[int, Hash32] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            number, digest = line.split()
            announced[int(number)] = Hash32(bytes.fromhex(digest))
            if len(announced) == lines:
                child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    return announced


def test_height_and_state_survive_a_kill_during_commit(tmp_path: Path) -> None:
    from execution.evm.native.engine import NativeEngine

    control = NativeEngine(tmp_path / "control")
    hashes = {0: control.open(GENESIS).hash}
    chance = random.Random(9)
    height = 0
    for _ in range(KILLS):
        announced = commit_until_killed(tmp_path / "killed", hashes[height], chance.randint(1, 40))
        engine = NativeEngine(tmp_path / "killed")
        engine.open(GENESIS)
        assert height <= engine.height() <= max(announced)
        assert engine.height() >= max(announced) - 1, "what was committed before is there"
        height = engine.height()
        while control.height() < height:
            number = control.height() + 1
            hashes[number] = build(control, number, hashes[number - 1]).header.hash
            control.commit(number)
        # The next block only follows, and only has the same root, if the state on disk is that of its height.
        expected = build(control, height + 1, hashes[height])
        control.unwind(height)
        assert build(engine, height + 1, hashes[height]).header == expected.header
        engine.close()
    control.close()
