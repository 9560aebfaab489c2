"""A real L1 for tests: anvil from npm, on a port of its own, with the inbox deployed."""

import json
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ANVIL = ROOT / "tests" / "clients" / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
KEYS = [  # of the usual test mnemonic
    bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
]
POSTER_KEY = bytes.fromhex("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6")
"""Account 9."""


@dataclass
class L1:
    """A running anvil."""

    process: subprocess.Popen[str]
    url: str

    def rpc(self, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        self.rpc("anvil_mine", hex(blocks))

    @property
    def height(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def fund(self, address: bytes) -> None:
        self.rpc("anvil_setBalance", "0x" + address.hex(), hex(10**21))


@contextmanager
def anvil(*flags: str) -> Iterator[L1]:
    """An L1 that mines each transaction at once, unless ``flags`` say otherwise."""
    if not ANVIL.exists():
        pytest.skip("anvil is not installed: npm --prefix tests/clients ci")
    command = [str(ANVIL), "--port", "0", "--hardfork", "osaka", *flags]
    with tempfile.NamedTemporaryFile("w+", prefix="anvil-") as output:  # a pipe that nobody reads would stop it
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
        try:
            yield L1(process, f"http://{_place(process, Path(output.name))}")
        finally:
            process.kill()
            process.wait()


def _place(process: subprocess.Popen[str], output: Path) -> str:
    """Asks the file again and again: a line that another process writes has no event here."""
    while process.poll() is None:
        if found := re.search(r"Listening on (127\.0\.0\.1:\d+)\n", output.read_text()):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"anvil did not start: {output.read_text()}")
