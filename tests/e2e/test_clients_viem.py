"""viem over HTTP and WebSocket, run by tests/clients/viem.mjs."""

from pathlib import Path
from typing import Any

from tests.clients.script import run_script
from tests.devnet import Devnet


def test_viem_works_unchanged(devnet: Devnet, contracts: dict[str, Any], tmp_path: Path) -> None:
    run_script("viem.mjs", devnet, contracts, tmp_path)
