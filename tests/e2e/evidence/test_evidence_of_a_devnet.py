"""Evidence about a real node: it is never guilty by itself, and always once its key signs twice."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sequencer.beacon.evidence_json import promise_json
from sequencer.core import preconf_json
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock
from tests.devnet import Devnet, running
from tests.unit.evidence.histories import flashblock, sign_promise


@dataclass
class World:
    """A devnet with some promises, all of them on DA, and its sequencer's key."""

    node: Devnet
    preconfirmations: list[dict[str, Any]]
    key: bytes

    @property
    def domain(self) -> Domain:
        return preconf_json.from_json(self.preconfirmations[0]).domain

    def promised(self, at: int) -> Flashblock:
        return preconf_json.from_json(self.preconfirmations[at]).signed.flashblock


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data_dir = tmp_path_factory.mktemp("evidence") / "node"
    with running(data_dir, "--block-time", "100ms") as node:
        wallet = node.wallet()
        receipts = [
            node.rpc("eth_sendRawTransactionSync", "0x" + wallet.sign(to=bytes([7]) * 20, value=1).hex())
            for _ in range(24)
        ]
        last = int(receipts[-1]["blockNumber"], 16)
        while int(node.rpc("eth_getBlockByNumber", "safe", False)["number"], 16) < last:
            pass
        key = bytes.fromhex((data_dir / "sequencer.key").read_text().strip().removeprefix("0x"))
        yield World(node, [receipt["preconfirmation"] for receipt in receipts], key)


def evidence(*arguments: object, expected: int) -> tuple[dict[str, Any], str]:
    """The last line of ``sequencer evidence``, and its standard error."""
    command = [sys.executable, "-m", "sequencer", "evidence", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == expected, done.stderr
    return (json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}), done.stderr


def save(folder: Path, name: str, document: object) -> Path:
    file = folder / name
    file.write_text(json.dumps(document))
    return file


def test_a_correct_node_is_never_convicted(world: World, tmp_path: Path) -> None:
    da = world.node.info["daDir"]
    first, last = (save(tmp_path, f"{at}.json", world.preconfirmations[at]) for at in (0, -1))
    for halves in ((first, last), (last, first), (first, first)):
        line, error = evidence("build", *halves, "--da", da, expected=1)
        assert line == {"id": None, "kind": None, "offender": None, "valid": False}, error
    for blob in sorted(Path(da).glob("*.blob")):
        evidence("build", last, blob, "--da", da, expected=1)
    events = "\n".join(json.dumps(promise) for promise in world.preconfirmations)
    (tmp_path / "events.jsonl").write_text(events)
    watch = ("watch", "--file", tmp_path / "events.jsonl", "--da", da, "--data-dir", tmp_path, "--once")
    evidence(*watch, expected=0)
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize("source", ["da", "rpc"])
def test_a_key_that_signs_a_second_chain_is_convicted(world: World, tmp_path: Path, source: str) -> None:
    """The second chain begins at genesis and the first half is far above: what lies between is looked up."""
    early, late = world.promised(0), world.preconfirmations[-1]
    other = flashblock(block_number=early.block_number, index=early.index, parent=world.domain.genesis_hash)
    forged = save(tmp_path, "forged.json", promise_json(sign_promise(world.key, other, world.domain)))
    mine = save(tmp_path, "mine.json", {"jsonrpc": "2.0", "id": 1, "result": late})
    where = ("--da", world.node.info["daDir"]) if source == "da" else ("--rpc-url", world.node.url)
    out = tmp_path / "proof.json"
    line, _ = evidence("build", forged, mine, *where, "--out", out, expected=0)
    assert (line["kind"], line["offender"], line["valid"]) == ("E1", world.node.info["sequencer"], True)
    assert len(json.loads(out.read_text())["links"]) > 1
    again, _ = evidence("build", mine, forged, *where, "--out", out, expected=0)
    assert again == line
    genesis = Path(world.node.info["daDir"]) / "genesis.json"
    checked, _ = evidence("verify", out, "--genesis", genesis, expected=0)
    assert checked == line

    doctored = json.loads(out.read_text())
    doctored["links"].pop()
    nothing, error = evidence("verify", save(tmp_path, "doctored.json", doctored), expected=1)
    assert nothing == {"id": None, "kind": "E1", "offender": None, "valid": False}
    assert "nothing is proven" in error


def test_without_what_lies_between_the_answer_is_not_known(world: World, tmp_path: Path) -> None:
    early = world.promised(0)
    other = flashblock(block_number=early.block_number, index=early.index, parent=world.domain.genesis_hash)
    forged = save(tmp_path, "forged.json", promise_json(sign_promise(world.key, other, world.domain)))
    mine = save(tmp_path, "mine.json", world.preconfirmations[-1])
    _, error = evidence("build", forged, mine, expected=3)
    assert "is not known" in error


def test_a_promise_that_the_batch_left_out_is_proven_from_da(world: World, tmp_path: Path) -> None:
    """A promise for a block that has been posted, made behind the back of the node."""
    last = world.promised(-1)
    hidden = flashblock(block_number=last.block_number, index=9, parent=last.struct_hash)
    forged = save(tmp_path, "hidden.json", promise_json(sign_promise(world.key, hidden, world.domain)))
    da = Path(world.node.info["daDir"])
    outcomes = []
    for blob in sorted(da.glob("*.blob")):
        command = [sys.executable, "-m", "sequencer", "evidence", "build", str(forged), str(blob), "--da", str(da)]
        command += ["--json", "--out", str(tmp_path / "proof.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        outcomes.append((done.returncode, json.loads(done.stdout)["kind"]))
        if outcomes[-1][0] == 0:
            break
    assert outcomes[-1] == (0, "E2")
    evidence("verify", tmp_path / "proof.json", expected=0)


def test_the_watcher_finds_it_by_itself_while_the_node_runs(world: World, tmp_path: Path) -> None:
    """A promise for a block to come, which the node knows nothing of: the node's next flashblock after it does not
    descend from it (E1), and the batch that covers it leaves it out (E2)."""
    node = world.node
    number = int(node.rpc("eth_blockNumber"), 16) + 60
    hidden = flashblock(block_number=number, index=0, parent=world.promised(-1).struct_hash)
    events = tmp_path / "seen.jsonl"
    events.write_text(json.dumps(promise_json(sign_promise(world.key, hidden, world.domain))))
    command = [sys.executable, "-m", "sequencer", "evidence", "watch", "--json", "--file", str(events)]
    command += ["--rpc", node.info["wsUrl"], "--da", node.info["daDir"], "--data-dir", str(tmp_path)]
    found: dict[str, dict[str, Any]] = {}
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as watcher,
    ):
        try:
            while int(node.rpc("eth_blockNumber"), 16) <= number:
                pass
            wallet = node.wallet(1)
            node.rpc("eth_sendRawTransactionSync", "0x" + wallet.sign(to=bytes([8]) * 20, value=1).hex())
            assert watcher.stdout is not None
            while found.keys() < {"E1", "E2"}:
                line = json.loads(watcher.stdout.readline())
                found[line["kind"]] = line
        finally:
            watcher.kill()
    for line in found.values():
        assert line["offender"] == node.info["sequencer"]
        checked, _ = evidence("verify", tmp_path / "evidence" / f"{line['id'][2:]}.json", expected=0)
        assert checked == line


def test_bad_files_are_refused(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("json", b"{}"), ("bytes", b"\x01\x02" * 50), ("text", b"hello")):
        (tmp_path / name).write_bytes(content)
        _, error = evidence("build", tmp_path / name, tmp_path / name, expected=2)
        assert str(tmp_path / name) in error
        evidence("verify", tmp_path / name, expected=2)
    evidence("verify", tmp_path / "absent", expected=2)
