"""ethers v6 over HTTP and WebSocket, run by tests/clients/ethers.mjs."""

from pathlib import Path
from typing import Any

from tests.clients.script import run_script
from tests.devnet import Devnet


def test_ethers_works_unchanged(devnet: Devnet, contracts: dict[str, Any], tmp_path: Path) -> None:
    run_script("ethers.mjs", devnet, contracts, tmp_path)
