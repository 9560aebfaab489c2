"""Commit and reveal on a real chain with an ordinary wallet, over a crash between the two."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sequencer.core.keccak import keccak256
from sequencer.ordering.commit_reveal import REGISTRY
from tests import devnet
from tests.devnet import Devnet
from tests.wallet import transaction_hash

TARGET = b"\x22" * 20
BLOCK_TIME = ("--block-time", "300ms")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A development chain whose genesis declares commit_reveal."""
    data_dir = tmp_path / "data"
    with devnet.running(data_dir, *BLOCK_TIME) as first:
        assert first.stop() == 0
    genesis = json.loads((data_dir / "genesis.json").read_text())
    genesis["rollup"]["ordering"] = {"policy": "commit_reveal", "parameters": {"delay_blocks": 12}}
    for made in data_dir.iterdir():
        if made.name not in ("format", "lock", "sequencer.key"):
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    (data_dir / "genesis.json").write_text(json.dumps(genesis))
    return data_dir


def send(node: Devnet, raw: bytes) -> str:
    name: str = node.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    return name


def wait_block(node: Devnet, number: int) -> None:
    while int(node.rpc("eth_blockNumber"), 16) < number:
        assert node.process.poll() is None, node.logs()[-2000:]


def receipt_of(node: Devnet, raw: bytes) -> tuple[int, int]:
    while node.rpc("eth_getTransactionReceipt", transaction_hash(raw)) is None:
        assert node.process.poll() is None, node.logs()[-2000:]
    receipt = node.wait_sealed(transaction_hash(raw))
    return int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)


def test_places_are_kept_over_a_crash_and_the_audit_agrees(data_dir: Path) -> None:
    with devnet.running(data_dir, *BLOCK_TIME) as node:
        wallets = [node.wallet(index) for index in range(3)]
        hidden, commitments = [], []
        for wallet in wallets[:2]:
            secret = wallet.sign(to=TARGET, value=7, nonce=wallet.nonce + 1)
            commitments.append(wallet.sign(to=REGISTRY, data=keccak256(secret), gas_limit=60_000))
            hidden.append(secret)
        send(node, commitments[1])
        send(node, commitments[0])
        committed = [receipt_of(node, raw) for raw in commitments]
        assert committed[1] < committed[0]
        node.kill()
    due = committed[0][0] + 12
    with devnet.running(data_dir, *BLOCK_TIME) as node:
        for secret in hidden:  # in the other order, and before their turn
            send(node, secret)
        assert node.rpc("eth_getTransactionReceipt", transaction_hash(hidden[0])) is None
        wait_block(node, due - 2)
        while int(node.rpc("eth_blockNumber"), 16) < due - 1:
            send(node, wallets[2].sign(to=TARGET, value=1))
        places = [receipt_of(node, secret) for secret in hidden]
        assert places[1] < places[0], "in the order of the commitments"
        assert places[1] == (committed[1][0] + 12, 0)
        last = str(places[0][0])
        assert node.stop() == 0
    command = [sys.executable, "-m", "sequencer", "audit", "--from", "1", "--to", last, "--da", str(data_dir / "da")]
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, json.loads(ended.stdout)["violations"]) == (0, [])
