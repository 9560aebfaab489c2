"""A real node executes its blocks twice: batches close after it, kills do not stop it, a difference stops the node."""

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from execution.selection import native_is_installed
from sequencer.storage import table
from sequencer.storage.rocks import RocksStorage
from tests.devnet import Devnet, RpcFailure, running

ENGINE = "native" if native_is_installed() else "reference"
FLAGS = ("--block-time", "100ms")


def probe(devnet: Devnet) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(devnet.info["metricsUrl"] + "/readyz", timeout=30) as answer:
            return answer.status, json.load(answer)
    except HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def metric(devnet: Devnet, name: str) -> float:
    with urllib.request.urlopen(devnet.info["metricsUrl"] + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    (value,) = (float(line.split()[1]) for line in lines if line.startswith(name + " "))
    return value


def number(devnet: Devnet, tag: str) -> int:
    return int(devnet.rpc("eth_getBlockByNumber", tag, False)["number"], 16)


def promise(devnet: Devnet, count: int) -> int:
    """So many promised transfers; the block of the last one."""
    wallet = devnet.wallet()
    receipts = [
        devnet.rpc("eth_sendRawTransactionSync", "0x" + wallet.sign(to=bytes([7]) * 20, value=1).hex())
        for _ in range(count)
    ]
    return int(receipts[-1]["blockNumber"], 16)


def wait_safe(devnet: Devnet, block: int) -> None:
    while number(devnet, "safe") < block:
        assert devnet.process.poll() is None, devnet.logs()[-2000:]


def test_batches_follow_the_second_engine_through_kills(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    for _ in range(3):
        with running(folder, *FLAGS, engine=ENGINE) as node:
            block = promise(node, 5)
            wait_safe(node, block)
            safe = number(node, "safe")
            assert metric(node, "sequencer_verified_block_height") >= safe
            while metric(node, "sequencer_verification_waiting_blocks") > 0:
                assert node.process.poll() is None
            assert metric(node, "sequencer_verified_block_height") >= block
            assert metric(node, "sequencer_verification_differences_total") == 0
            assert probe(node)[0] == 200
            promise(node, 5)
            node.kill()
    assert (folder / "verify" / f"state-{ENGINE}").is_dir()


def test_it_can_be_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQUENCER_EXECUTION__VERIFY_BLOCKS", "false")
    with running(tmp_path / "node", *FLAGS, engine=ENGINE) as node:
        wait_safe(node, promise(node, 1))
    assert not (tmp_path / "node" / "verify").exists()


def test_a_difference_halts_the_node_and_names_the_place(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with running(folder, *FLAGS, engine=ENGINE) as node:
        block = promise(node, 1)
        wait_safe(node, block)
        assert node.stop() == 0
    with RocksStorage(folder / "chain") as storage:
        key = table.by_number(table.RECEIPTS, block)
        honest = storage.get(key) or b""
        at = honest.index(bytes.fromhex("825208"))
        storage.write({key: honest[:at] + bytes.fromhex("825209") + honest[at + 3 :]})
    shutil.rmtree(folder / "verify")
    for _ in range(2):  # the second time, because the first one left the reason
        with running(folder, *FLAGS, engine=ENGINE) as node:
            while probe(node)[1]["reasons"].keys() != {"halted"}:
                assert node.process.poll() is None
            status, answer = probe(node)
            assert status == 503
            assert answer["reasons"]["halted"].startswith(f"verification: block {block}, position 0: outcomeHash is 0x")
            with pytest.raises(RpcFailure, match="not accepting"):
                promise(node, 1)
            assert number(node, "latest") >= block, "reads go on"
            assert node.stop() == 0
