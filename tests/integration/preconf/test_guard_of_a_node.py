"""The guard as an operator meets it: copies and twins are refused, export and import carry it on."""

import io
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sequencer.cli.main import run
from tests.devnet import Devnet, running

Stopped: TypeAlias = tuple[Path, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A data directory whose node made three promises and was stopped."""
    folder = tmp_path_factory.mktemp("guard") / "node"
    with running(folder, "--block-time", "250ms") as node:
        sent = [send(node) for _ in range(3)]
        assert node.stop() == 0
    return folder, sent


def send(node: Devnet) -> dict[str, Any]:
    raw = node.wallet().sign(to=b"\x07" * 20, value=1)
    receipt: dict[str, Any] = node.rpc("eth_sendRawTransactionSync", "0x" + raw.hex(), "0x7530")
    return receipt


def devnet(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sequencer", "devnet", "--port", "0", "--metrics-port", "0"]
    command += ["--engine", "reference", "--data-dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Guard:
    """``sequencer guard`` on one data directory."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, command: str, file: str, folder: Path, *flags: str, text: str = "") -> Done:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(text))
        self._capsys.readouterr()
        code = run(["guard", command, file, "--data-dir", str(folder), *flags])
        return Done(code, *self._capsys.readouterr())


@pytest.fixture
def guard(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Guard:
    return Guard(capsys, monkeypatch)


def test_a_copy_is_refused_until_an_import_makes_it_count(stopped: Stopped, guard: Guard, tmp_path: Path) -> None:
    folder, sent = stopped
    twin, exported = tmp_path / "copy", tmp_path / "guard.json"
    shutil.copytree(folder, twin)
    refused = devnet(twin)
    assert refused.returncode == 1
    assert "is a copy" in refused.stderr
    assert "sequencer guard import FILE" in refused.stderr
    done = guard("export", str(exported), folder, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["guards"]
    assert row["blockNumber"] == int(sent[-1]["blockNumber"], 16)
    done = guard("import", str(exported), twin, "--json")
    assert done.returncode == 0, done.stderr
    assert "no other node signs" in done.stderr
    with running(twin, "--block-time", "250ms") as node:
        for receipt in sent:
            promise = node.rpc("sequencer_getPreconfirmation", receipt["transactionHash"])
            assert promise == receipt["preconfirmation"]
        assert int(send(node)["blockNumber"], 16) > int(sent[-1]["blockNumber"], 16)
        assert node.stop() == 0


def test_a_twin_of_a_running_node_is_refused(stopped: Stopped, guard: Guard, tmp_path: Path) -> None:
    folder, _ = stopped
    twin = tmp_path / "twin"
    shutil.copytree(folder, twin)
    with running(folder) as node:
        refused = devnet(twin)
        exported = guard("export", "-", folder)
        assert node.stop() == 0
    assert refused.returncode == 3
    assert "another process on this machine signs with key" in refused.stderr
    assert exported.returncode == 3, "a guard of a running node is out of date at once"


def test_a_lost_guard_is_refused_and_an_import_brings_it_back(stopped: Stopped, guard: Guard, tmp_path: Path) -> None:
    folder, _ = stopped
    node, exported = tmp_path / "node", guard("export", "-", folder).stdout
    shutil.copytree(folder, node)
    shutil.rmtree(node / "guard")
    refused = devnet(node)
    assert refused.returncode == 1
    assert "although the key has signed on this chain" in refused.stderr
    assert guard("import", "-", node, text=exported).returncode == 0
    again = guard("export", "-", node).stdout
    assert json.loads(again) == json.loads(exported)


def test_an_import_never_lowers_a_watermark_and_refuses_contradictions(
    stopped: Stopped, guard: Guard, tmp_path: Path
) -> None:
    folder, _ = stopped
    node = tmp_path / "node"
    shutil.copytree(folder, node)
    export = json.loads(guard("export", "-", node).stdout)
    (record,) = export["data"]
    older = {**record, "newest": None, "batches": []}
    forged = {**record, "newest": {**record["newest"], "structHash": "0x" + "ee" * 32}}
    for data, code in (([older], 0), ([forged], 1), ([{**record, "key": "0x12"}], 2), ("nonsense", 2)):
        document = json.dumps({**export, "data": data})
        done = guard("import", "-", node, text=document)
        assert done.returncode == code, done.stderr
        assert json.loads(guard("export", "-", node).stdout) == export
    assert guard("import", "-", node, text="{").returncode == 2
    assert guard("export", "-", tmp_path / "none").returncode == 2
