"""Foundry's cast: send, receipt, deploy, call, logs, block, and verifying a pre-confirmation by hand."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.devnet import Devnet


@pytest.fixture
def run(cast: Path, devnet: Devnet):
    def _run(*arguments: str) -> str:
        command = [str(cast), arguments[0], "--rpc-url", devnet.url, *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return _run


@pytest.fixture
def key(devnet: Devnet) -> str:
    return str(devnet.info["accounts"][6]["privateKey"])


def test_send_and_receipt(run, key: str, devnet: Devnet) -> None:
    to = "0x" + "c0" * 20
    receipt = json.loads(run("send", "--json", "--private-key", key, to, "--value", "1ether"))
    assert receipt["status"] == "0x1"
    devnet.wait_sealed(receipt["transactionHash"])
    again = json.loads(run("receipt", "--json", receipt["transactionHash"]))
    assert (again["blockNumber"], again["transactionIndex"]) == (receipt["blockNumber"], receipt["transactionIndex"])
    assert run("balance", to) == str(10**18)


def test_two_sends_in_a_row_need_no_waiting(run, key: str) -> None:
    for _ in range(2):
        assert (
            json.loads(run("send", "--json", "--private-key", key, "0x" + "c3" * 20, "--value", "1"))["status"] == "0x1"
        )


def test_deploy_call_and_logs(run, key: str, devnet: Devnet, contracts: dict[str, Any]) -> None:
    supply = f"{10**20:064x}"
    made = json.loads(run("send", "--json", "--private-key", key, "--create", contracts["Token"]["bytecode"] + supply))
    token = made["contractAddress"]
    assert run("call", "--block", "pending", token, "totalSupply()(uint256)").split()[0] == str(10**20)
    devnet.wait_sealed(made["transactionHash"])
    assert run("call", token, "totalSupply()(uint256)").split()[0] == str(10**20)
    sent = json.loads(
        run("send", "--json", "--private-key", key, token, "transfer(address,uint256)", "0x" + "c1" * 20, "12")
    )
    assert [log["address"] for log in sent["logs"]] == [token.lower()]
    devnet.wait_sealed(sent["transactionHash"])
    logs = json.loads(run("logs", "--json", "--address", token, "--from-block", "0"))
    assert len(logs) >= 1
    sender = devnet.info["accounts"][6]["address"]
    assert int(run("estimate", "--from", sender, token, "transfer(address,uint256)", "0x" + "c2" * 20, "1")) > 21_000


def test_the_usual_contracts_are_there(run) -> None:
    assert len(run("code", "0x4e59b44847b379578588920cA78FbF26c0B4956C")) > 2
    multicall = "0xcA11bde05977b3631167028862bE2a173976CA11"
    assert int(run("call", multicall, "getBlockNumber()(uint256)").split()[0]) >= 0
    assert int(run("call", multicall, "getChainId()(uint256)").split()[0]) == int(run("chain-id"))


def test_blocks_read_as_usual(run) -> None:
    block = json.loads(run("block", "--json", "latest"))
    assert int(block["baseFeePerGas"], 16) > 0
    assert int(run("block-number")) >= int(block["number"], 16)


def test_a_set_code_transaction_delegates(run, key: str, devnet: Devnet) -> None:
    target = "0xcA11bde05977b3631167028862bE2a173976CA11"
    owner = devnet.info["accounts"][6]["address"]
    receipt = json.loads(run("send", "--json", "--private-key", key, "--auth", target, "0x" + "c4" * 20))
    assert (receipt["type"], receipt["status"]) == ("0x4", "0x1")
    devnet.wait_sealed(receipt["transactionHash"])
    assert run("code", owner).lower() == "0xef0100" + target[2:].lower()
