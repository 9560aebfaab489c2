"""One real node for the end-to-end tests of a file, and the clients from npm."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.devnet import Devnet, running

CLIENTS = Path(__file__).parents[1] / "clients"


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with running(tmp_path_factory.mktemp("devnet") / "node") as node:
        yield node


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder of npm clients, installed by ``make test``."""
    if not (CLIENTS / "node_modules").is_dir():
        pytest.fail("npm clients are not installed: run `make test`, or `npm ci` in tests/clients")
    return CLIENTS


@pytest.fixture(scope="session")
def contracts(clients: Path) -> dict[str, Any]:
    """ABI and bytecode by contract name."""
    done = subprocess.run(["node", "compile.mjs"], cwd=clients, capture_output=True, text=True, check=True)
    compiled: dict[str, Any] = json.loads(done.stdout)
    return compiled


@pytest.fixture(scope="session")
def cast(clients: Path) -> Path:
    """Foundry's cast."""
    found = list(clients.glob("node_modules/@foundry-rs/cast-linux-*/bin/cast"))
    if not found:
        pytest.skip("no cast for this machine's architecture on npm")
    return found[0]
