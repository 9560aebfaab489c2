"""Runs a client script of this folder against a node and fails with what it printed."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.devnet import Devnet

CLIENTS = Path(__file__).parent
SCRIPT_S = 120


def run_script(name: str, devnet: Devnet, contracts: dict[str, Any], folder: Path) -> None:
    """Run the checks in ``name`` under node's own test runner. ``folder`` takes the compiled contracts."""
    compiled = folder / "contracts.json"
    compiled.write_text(json.dumps(contracts))
    environment = {**os.environ, "DEVNET": json.dumps(devnet.info), "CONTRACTS": str(compiled)}
    command = ["node", "--test", "--test-reporter=spec", name]
    done = subprocess.run(
        command, cwd=CLIENTS, env=environment, capture_output=True, text=True, timeout=SCRIPT_S, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:] + devnet.logs()[-2000:]
