"""A chain on Celestia and on Ethereum: its transactions become safe, and it comes back from the layer alone."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sequencer.testing.celestia import WRITER, FakeCelestia
from sequencer.testing.celestia_server import serving
from tests.devnet import Devnet, running
from tests.l1 import anvil
from tests.wallet import Wallet

RECEIVER = b"\x77" * 20
SAFE_S = 30


@contextmanager
def celestia_on_a_port() -> Iterator[str]:
    """A fake celestia-node with a block every half second, in a thread of its own."""
    started, url, stop = threading.Event(), "", threading.Event()

    async def main() -> None:
        nonlocal url
        node = FakeCelestia(instant=False)
        async with serving(node) as url:
            started.set()
            while not stop.is_set():
                await asyncio.sleep(0.5)  # the time of a block: nothing is waited for
                await node.tick()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert started.wait(30)
        yield url
    finally:
        stop.set()
        thread.join()


@pytest.fixture(params=["ethereum", "celestia", "celestia with an inbox"])
def layer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A layer and the flags that reach it."""
    name: str = request.param
    with ExitStack() as stack:
        flags = []
        if name != "celestia":
            flags += ["--l1-url", stack.enter_context(anvil("--block-time", "1")).url]
        if name != "ethereum":
            token = tmp_path / "token"
            token.write_text(WRITER)
            url = stack.enter_context(celestia_on_a_port())
            flags += ["--celestia-url", url, "--celestia-token-file", str(token)]
        yield name.split()[0], flags


def transfer(wallet: Wallet) -> str:
    return "0x" + wallet.sign(RECEIVER, value=1).hex()


def wait_for(done: Callable[[], bool], timeout_s: float, node: Devnet) -> None:
    """Asks again and again: ``safe`` has no event of its own in JSON-RPC, and layers have a block a second or two."""
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, node.logs()[-3000:]
        time.sleep(0.2)


def derive(name: str, flags: list[str], genesis: Path, folder: Path, *more: str) -> dict[str, object]:
    command = [sys.executable, "-m", "sequencer", "derive", "--da", name, "--genesis", str(genesis), "--json"]
    command += ["--data-dir", str(folder), "--engine", "reference", *flags, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_transactions_become_safe_and_the_chain_comes_back(layer: tuple[str, list[str]], tmp_path: Path) -> None:
    name, flags = layer
    with running(tmp_path / "node", "--da", name, *flags) as node:
        wallet = node.wallet(0)
        sent = [node.rpc("eth_sendRawTransactionSync", transfer(wallet))["transactionHash"] for _ in range(5)]
        block = int(node.wait_sealed(sent[-1])["blockNumber"], 16)
        wait_for(lambda: int(node.rpc("eth_getBlockByNumber", "safe", False)["number"], 16) >= block, SAFE_S, node)
        status = node.rpc("sequencer_getTransactionStatus", sent[0])["status"]
        assert status in ("safe", "finalized")
        batch = node.rpc("sequencer_getBatch", "0x1")
        assert batch["layer"] == ("ethereum" if "--l1-url" in flags else "celestia")
        assert int(batch["fee"], 16) > 0
        node.kill()  # restarted, it posts what it had not posted, and nothing twice
        with running(tmp_path / "node", *flags) as again:
            sent.append(again.rpc("eth_sendRawTransactionSync", transfer(again.wallet(0)))["transactionHash"])
            block = int(again.wait_sealed(sent[-1])["blockNumber"], 16)
            wait_for(
                lambda: int(again.rpc("eth_getBlockByNumber", "safe", False)["number"], 16) >= block, SAFE_S, again
            )
            safe = again.rpc("eth_getBlockByNumber", hex(block), False)
            found = derive(name, flags, tmp_path / "node" / "genesis.json", tmp_path / "derived", "--to", str(block))
            assert found == {"headNumber": block, "headHash": safe["hash"], "stateRoot": safe["stateRoot"]}
            assert again.stop() == 0


def test_a_layer_that_the_chain_is_not_on_is_refused(layer: tuple[str, list[str]], tmp_path: Path) -> None:
    name, flags = layer
    with running(tmp_path / "node", "--da", name, *flags):
        pass
    command = [sys.executable, "-m", "sequencer", "devnet", "--data-dir", str(tmp_path / "node"), "--da", "local"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--da" in done.stderr
