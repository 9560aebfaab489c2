"""A real node in a process of its own, started with the command that users type."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.wallet import Wallet

READY_S = 60


class RpcFailure(Exception):
    """The ``error`` member of an answer."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data = error.get("data")


def rpc(url: str, method: str, *params: Any, timeout_s: float = 30) -> Any:
    """One call over HTTP. Raises ``RpcFailure``."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout_s) as response:
        answer = json.load(response)
    if "error" in answer:
        raise RpcFailure(answer["error"])
    return answer["result"]


@dataclass
class Devnet:
    """A running node and what its ready line said."""

    process: subprocess.Popen[str]
    info: dict[str, Any]
    log_file: Path

    @property
    def url(self) -> str:
        return str(self.info["rpcUrl"])

    def rpc(self, method: str, *params: Any, timeout_s: float = 30) -> Any:
        return rpc(self.url, method, *params, timeout_s=timeout_s)

    def wallet(self, index: int = 0) -> Wallet:
        """The wallet of a funded account, at its present nonce."""
        account = self.info["accounts"][index]
        nonce = int(self.rpc("eth_getTransactionCount", account["address"], "pending"), 16)
        return Wallet(bytes.fromhex(account["privateKey"][2:]), int(self.info["chainId"]), nonce)

    def wait_sealed(self, transaction_hash: str) -> dict[str, Any]:
        """The receipt once its block is sealed and ``latest`` reads see it."""
        while True:
            receipt: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transaction_hash)
            if receipt is not None and int(receipt["blockHash"], 16):
                return receipt

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """SIGTERM and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def logs(self) -> str:
        return self.log_file.read_text()


def start(data_dir: Path, *flags: str, engine: str = "reference") -> Devnet:
    """Start ``sequencer devnet`` on free ports and wait for its ready line."""
    command = [sys.executable, "-m", "sequencer", "devnet", "--json", "--port", "0", "--metrics-port", "0"]
    return launch([*command, "--data-dir", str(data_dir), "--engine", engine, *flags], data_dir)


def launch(command: Sequence[str], data_dir: Path) -> Devnet:
    """Start a node with ``command`` and wait for its ready line. Its log stands beside ``data_dir``."""
    log_file = data_dir.with_name(data_dir.name + ".log")
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(timeout=READY_S)
        process.stdout.close()
        raise AssertionError(f"the node did not start (exit {process.returncode}):\n{log_file.read_text()[-4000:]}")
    return Devnet(process, json.loads(line), log_file)


@contextmanager
def running(data_dir: Path, *flags: str, engine: str = "reference") -> Iterator[Devnet]:
    """A node for the length of the block; killed if still there at its end."""
    with ended_after(start(data_dir, *flags, engine=engine)) as devnet:
        yield devnet


@contextmanager
def ended_after(node: Devnet) -> Iterator[Devnet]:
    """``node``, killed if still there at the end of the block."""
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.kill()
        if node.process.stdout:
            node.process.stdout.close()
