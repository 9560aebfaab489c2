"""A disk that really fills: promises that were made are kept, new ones wait, and the node goes on afterwards."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devnet import Devnet, RpcFailure, running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 80 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let tests mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def send(node: Devnet) -> dict:
    wallet = node.wallet()
    return node.rpc("eth_sendRawTransactionSync", "0x" + wallet.sign(to=bytes([5]) * 20, value=1).hex(), "0x1f4")


def fill(disk: Path) -> Path:
    """Take every byte that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(64 * 1024))
        except OSError:
            return filler


def test_a_full_disk_costs_no_promise_and_no_restart(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setitem(os.environ, "SEQUENCER_NODE__DISK_LOW_BYTES", "0")
    monkeypatch.setitem(os.environ, "SEQUENCER_NODE__DISK_FULL_BYTES", "0")
    with running(small_disk / "node", "--block-time", "100ms") as node:
        promised = [send(node) for _ in range(5)]
        filler = fill(small_disk)
        while "waits for disk space" not in node.logs():
            try:
                promised.append(send(node))
            except RpcFailure as refused:
                request.node.add_report_section("call", "refused", str(refused))
        filler.unlink()
        number = int(node.rpc("eth_blockNumber"), 16)
        while int(node.rpc("eth_blockNumber"), 16) < number + 3:
            assert node.process.poll() is None, node.logs()[-3000:]
        promised.append(node.wait_sealed(send(node)["transactionHash"]))
        for receipt in promised:
            now = node.rpc("eth_getTransactionReceipt", receipt["transactionHash"])
            assert (now["blockNumber"], now["transactionIndex"]) == (
                receipt["blockNumber"],
                receipt["transactionIndex"],
            )
        assert node.stop() == 0


def test_below_the_reserve_new_transactions_are_refused_and_blocks_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SEQUENCER_NODE__DISK_LOW_BYTES", str(2**60))
    monkeypatch.setitem(os.environ, "SEQUENCER_NODE__DISK_FULL_BYTES", "0")
    with running(tmp_path / "node", "--block-time", "100ms") as node:
        while "disk is filling up" not in node.logs():
            node.rpc("eth_chainId")
        with pytest.raises(RpcFailure, match="not accepting transactions"):
            send(node)
        number = int(node.rpc("eth_blockNumber"), 16)
        while int(node.rpc("eth_blockNumber"), 16) <= number:
            node.rpc("eth_chainId")
