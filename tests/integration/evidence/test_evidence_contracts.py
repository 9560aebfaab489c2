"""The Solidity side: forge's tests and gas figures, formatting, and the artifacts that are checked in."""

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "contracts"
CLIENTS = ROOT / "tests" / "clients"
HAS_FORGE = platform.system() == "Linux" and platform.machine() == "x86_64"


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    if not (CLIENTS / "node_modules").is_dir():
        pytest.fail("npm clients are not installed: run `make test`, or `npm ci` in tests/clients")
    return subprocess.run(
        command, cwd=CONTRACTS, env=os.environ | environment, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.fixture
def forge() -> str:
    found = list(CLIENTS.glob("node_modules/@foundry-rs/forge-linux-*/bin/forge"))
    if not found and not HAS_FORGE:
        pytest.skip("no forge for this machine's architecture among the npm packages")
    return str(found[0])


@pytest.fixture
def built(forge: str, tmp_path: Path) -> tuple[str, list[str]]:
    """forge and where it may write."""
    return forge, ["--out", str(tmp_path / "out"), "--cache-path", str(tmp_path / "cache")]


def test_forge_tests_pass_and_gas_is_as_recorded(built: tuple[str, list[str]]) -> None:
    forge, places = built
    done = run(forge, "test", *places, FORGE_SNAPSHOT_CHECK="true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed, 0 skipped" in done.stdout


def test_sources_are_formatted(forge: str) -> None:
    done = run(forge, "fmt", "--check")
    assert done.returncode == 0, done.stdout


def test_artifacts_are_what_the_sources_compile_to() -> None:
    done = run("node", "compile.mjs", "--check")
    assert done.returncode == 0, done.stderr


def test_forge_compiles_to_the_same_bytecode(built: tuple[str, list[str]], tmp_path: Path) -> None:
    forge, places = built
    assert run(forge, "build", *places).returncode == 0
    ours = json.loads((CONTRACTS / "artifacts" / "EvidenceVerifier.json").read_text())
    theirs = json.loads((tmp_path / "out" / "EvidenceVerifier.sol" / "EvidenceVerifier.json").read_text())
    assert ours["bytecode"] == theirs["bytecode"]["object"]
    assert ours["deployedBytecode"] == theirs["deployedBytecode"]["object"]
