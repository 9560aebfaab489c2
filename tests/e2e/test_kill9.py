"""A short run of the kill -9 campaign; ``make crash-test CYCLES=1000`` runs the long one."""

from pathlib import Path

import pytest

from tests.crash.kill9 import campaign


@pytest.mark.parametrize("seed", [7])
def test_every_promise_outlives_kill_9(tmp_path: Path, seed: int) -> None:
    result = campaign(cycles=3, seed=seed, data_dir=tmp_path / "node")
    assert result["promises"] > 0
    assert result["flashblocksFollowed"] > 0
    assert result["checks"] >= result["promises"]
