"""A chain's life as an operator sees it: restarts, an orderly stop, derivation from DA alone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.devnet import Devnet, RpcFailure, running, start


def send_some(devnet: Devnet, count: int, account: int = 0) -> list[dict[str, Any]]:
    wallet = devnet.wallet(account)
    raws = [wallet.sign(to=bytes([7]) * 20, value=1 + index) for index in range(count)]
    return [devnet.rpc("eth_sendRawTransactionSync", "0x" + raw.hex()) for raw in raws]


def wait_until_safe(devnet: Devnet, number: int) -> None:
    while int(devnet.rpc("eth_getBlockByNumber", "safe", False)["number"], 16) < number:
        devnet.rpc("eth_getBlockByNumber", "latest", False)


def derive(da_dir: str, data_dir: Path, *flags: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "sequencer", "derive", "--da", da_dir, "--data-dir", str(data_dir), "--json"]
    done = subprocess.run([*command, "--engine", "reference", *flags], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_a_restart_keeps_genesis_keys_chain_and_promises(tmp_path: Path) -> None:
    with running(tmp_path / "node") as first:
        before = send_some(first, 3)
        assert first.stop() == 0
    with running(tmp_path / "node") as second:
        for name in ("genesisHash", "chainId", "sequencer", "accounts"):
            assert second.info[name] == first.info[name]
        for receipt in before:
            promise = second.rpc("sequencer_getPreconfirmation", receipt["transactionHash"])
            assert promise == receipt["preconfirmation"]
            again = second.rpc("eth_getTransactionReceipt", receipt["transactionHash"])
            assert (again["blockNumber"], again["transactionIndex"]) == (
                receipt["blockNumber"],
                receipt["transactionIndex"],
            )
        more = send_some(second, 1)
        assert int(more[0]["blockNumber"], 16) > int(before[-1]["blockNumber"], 16)


def test_sigterm_posts_everything_and_derive_reaches_the_same_head(tmp_path: Path) -> None:
    with running(tmp_path / "node", "--block-time", "250ms") as node:
        receipts = send_some(node, 20)
        last = int(receipts[-1]["blockNumber"], 16)
        assert node.stop() == 0
    head = derive(node.info["daDir"], tmp_path / "derived")
    assert head["headNumber"] >= last
    with running(tmp_path / "node", "--block-time", "250ms") as again:
        block = again.rpc("eth_getBlockByNumber", hex(head["headNumber"]), False)
        safe = again.rpc("eth_getBlockByNumber", "safe", False)
        assert (block["hash"], block["stateRoot"]) == (head["headHash"], head["stateRoot"])
        assert int(safe["number"], 16) >= head["headNumber"]


def test_derive_stops_at_the_block_it_is_told(tmp_path: Path) -> None:
    with running(tmp_path / "node", "--block-time", "100ms") as node:
        send_some(node, 2)
        wait_until_safe(node, 3)
        wanted = node.rpc("eth_getBlockByNumber", "0x2", False)
        node.kill()
    head = derive(node.info["daDir"], tmp_path / "derived", "--to", "2")
    assert (head["headNumber"], head["headHash"]) == (2, wanted["hash"])


def test_kill_9_leaves_no_process_and_a_restart_works_at_once(tmp_path: Path) -> None:
    node = start(tmp_path / "node")
    children = _children(node.process.pid)
    assert children, "the reference engine runs in a process of its own"
    node.kill()
    with running(tmp_path / "node") as again:
        assert again.info["genesisHash"] == node.info["genesisHash"]
        assert not any(_alive(pid) for pid in children)
    assert node.process.stdout is not None
    node.process.stdout.close()


def test_a_second_node_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "node"):
        command = [sys.executable, "-m", "sequencer", "devnet", "--json", "--port", "0", "--metrics-port", "0"]
        done = subprocess.run(
            [*command, "--data-dir", str(tmp_path / "node")], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 3
        assert done.stdout == ""
        assert "another process uses the data directory" in done.stderr


def test_heads_become_safe_and_finalized(tmp_path: Path) -> None:
    with running(tmp_path / "node", "--block-time", "100ms") as node:
        assert node.rpc("eth_getBlockByNumber", "finalized", False)["number"] == "0x0"
        number = int(send_some(node, 1)[0]["blockNumber"], 16)
        wait_until_safe(node, number)
        transaction_hash = node.rpc("eth_getBlockByNumber", hex(number), False)["transactions"][0]
        status = node.rpc("sequencer_getTransactionStatus", transaction_hash)
        assert status["status"] in ("safe", "finalized")
        assert status["times"].keys() >= {"received", "preconfirmed", "sealed", "safe"}
        assert node.rpc("sequencer_getBatch", "0x1")["firstBlock"] == "0x1"
        ledger = node.rpc("sequencer_getPromiseLedger")
        assert (ledger["issued"], ledger["kept"], ledger["broken"]) == ("0x1", "0x1", "0x0")


def test_the_node_goes_on_after_bad_input(tmp_path: Path) -> None:
    with running(tmp_path / "node") as node:
        for bad in ("0x", "0x00", "0x02c0", "0x" + "ff" * 200_000, "nonsense"):
            with pytest.raises(RpcFailure) as refused:
                node.rpc("eth_sendRawTransaction", bad)
            assert refused.value.code in (-32000, -32602)
        assert send_some(node, 1)[0]["status"] == "0x1"


def _children(pid: int) -> list[int]:
    text = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in text.split()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
