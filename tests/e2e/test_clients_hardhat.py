"""Hardhat with Ignition: compile, deploy a module of dependent contracts and calls, and find it on chain."""

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.devnet import Devnet

NEEDED_NODE = 22


def newer_node(clients: Path) -> str:
    """The Node that Hardhat was installed with."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    packaged = clients / "node_modules" / f"node-linux-{machine}" / "bin" / "node"
    if packaged.exists():
        return str(packaged)
    major = int(subprocess.check_output(["node", "--version"], text=True)[1:].split(".")[0])
    if major < NEEDED_NODE:
        pytest.skip(f"Hardhat needs Node {NEEDED_NODE}, and npm has none for this machine's architecture")
    return "node"


@pytest.fixture
def project(clients: Path, tmp_path: Path) -> Path:
    """The Hardhat project in a folder of its own, where it may leave what it makes."""
    source, copy = clients / "hardhat", tmp_path / "project"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "node_modules").symlink_to(source / "node_modules")
    (copy / "contracts").mkdir()
    shutil.copy(clients / "forge" / "src" / "Counter.sol", copy / "contracts")
    return copy


def test_ignition_deploys_a_module(project: Path, clients: Path, devnet: Devnet) -> None:
    environment = {
        **os.environ,
        "HOME": str(project),
        "SOLJSON": str(clients / "node_modules" / "solc" / "soljson.js"),
        "DEVNET_URL": devnet.url,
        "DEVNET_KEY": devnet.info["accounts"][0]["privateKey"],
        "HARDHAT_IGNITION_CONFIRM_DEPLOYMENT": "true",
    }
    command = [newer_node(clients), "node_modules/hardhat/dist/src/cli.js"]
    command += ["ignition", "deploy", "ignition/modules/Counters.js", "--network", "devnet"]
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    [deployment] = (project / "ignition" / "deployments").iterdir()
    deployed = json.loads((deployment / "deployed_addresses.json").read_text())
    third = deployed["Counters#third"]
    limit = devnet.rpc("eth_call", {"to": third, "input": "0xa4d66daf"}, "latest")
    assert int(limit, 16) == 2, "the third contract's limit is the value that the second call's event told"
