"""Foundry's forge: a script that simulates, broadcasts and waits, and a plain create."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.devnet import Devnet


def documents_in(printed: str) -> list[Any]:
    """Every JSON object among the lines of ``printed``, on one line or on several."""
    found, at = [], printed.find("{")
    while at >= 0:
        document, end = json.JSONDecoder().raw_decode(printed, at)
        found.append(document)
        at = printed.find("{", end)
    return found


@pytest.fixture
def forge(clients: Path, devnet: Devnet, tmp_path: Path):
    found = list(clients.glob("node_modules/@foundry-rs/forge-linux-*/bin/forge"))
    if not found:
        pytest.skip("no forge for this machine's architecture on npm")
    folders = {f"FOUNDRY_{name}": str(tmp_path / name.lower()) for name in ("OUT", "CACHE_PATH", "BROADCAST")}
    environment = {**os.environ, **folders, "HOME": str(tmp_path)}

    def run(*arguments: str) -> list[Any]:
        """The JSON documents that the command printed."""
        command = [str(found[0]), arguments[0], "--rpc-url", devnet.url, "--json", *arguments[1:]]
        command[2:2] = ["--private-key", devnet.info["accounts"][3]["privateKey"], "--broadcast"]
        done = subprocess.run(
            command, cwd=clients / "forge", env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return documents_in(done.stdout)

    return run


def test_a_script_deploys_and_calls(forge, devnet: Devnet) -> None:
    documents = forge("script", "script/Deploy.s.sol")
    receipts = [document for document in documents if "tx_hash" in document]
    assert [receipt["status"] for receipt in receipts] == ["success"] * 7
    returned = next(document["returns"] for document in documents if "returns" in document)
    plain, salted = (returned[name]["value"] for name in ("plain", "salted"))
    assert [int(devnet.rpc("eth_call", {"to": to, "data": "0x3fa4f245"}), 16) for to in (plain, salted)] == [3, 1]
    assert int(devnet.rpc("eth_getBalance", "0x" + "00" * 18 + "beef"), 16) == 10**18


def test_create_deploys_one_contract(forge, devnet: Devnet) -> None:
    made = forge("create", "src/Counter.sol:Counter", "--constructor-args", "5")[-1]
    limit = devnet.rpc("eth_call", {"to": made["deployedTo"], "data": "0xa4d66daf"})
    assert int(limit, 16) == 5
