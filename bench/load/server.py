"""The servers under test, each pinned to one core: this node, and anvil from npm."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

SERVER_CORE = 0
CLIENT_CORE = 1
CLIENTS = Path(__file__).parents[2] / "tests" / "clients"
CHAIN_ID = 421701
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
KEYS = tuple(
    bytes.fromhex(key)
    for key in (
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
        "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
        "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
        "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
        "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
        "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
        "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
    )
)
"""The funded accounts of the usual test mnemonic, which both servers start with."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    url: str
    pid: int
    metrics_url: str = ""
    """Of a server that has metrics."""

    def rpc(self, method: str, *params: Any) -> Any:
        """One call, outside of what is measured."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        with urllib.request.urlopen(f"{self.metrics_url}/metrics", timeout=60) as response:
            found = re.search(rf"^{name} (\S+)$", response.read().decode(), re.MULTILINE)
        if not found:
            raise RuntimeError(f"no metric {name}")
        return float(found[1])

    def cpu_seconds(self) -> float:
        """CPU time of the server and all of its processes so far."""
        ticks = sum(map(_ticks, _family(self.pid)))
        return ticks / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def node(
    engine: str,
    *flags: str,
    core: int | None = SERVER_CORE,
    folder: Path | None = None,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> Iterator[Server]:
    """``sequencer devnet`` with its default settings but for ``settings``, environment variables; on the chain in
    ``folder``, if given."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            "env",
            *(f"{name}={value}" for name, value in settings.items()),
            sys.executable,
            "-m",
            "sequencer",
            "devnet",
            "--json",
            "--port",
            "0",
            "--metrics-port",
            "0",
        ]
        command += ["--data-dir", str(folder or Path(temporary) / "node"), "--engine", engine, *flags]
        log = (Path(temporary) / "log").open("wb")
        with log, _pinned(command, core, stderr=log) as process:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise RuntimeError((Path(temporary) / "log").read_text()[-2000:])
            urls = json.loads(line)
            yield Server(f"node ({engine})", urls["rpcUrl"], process.pid, urls["metricsUrl"])


@contextmanager
def anvil(*flags: str, core: int | None = SERVER_CORE) -> Iterator[Server]:
    """anvil with the same chain id, accounts and fork."""
    found = list(CLIENTS.glob("node_modules/@foundry-rs/anvil-linux-*/bin/anvil"))
    if not found:
        raise RuntimeError("anvil is not installed: run `npm ci` in tests/clients")
    command = [str(found[0]), "--port", "0", "--chain-id", str(CHAIN_ID), "--hardfork", "prague", *flags]
    with (
        tempfile.TemporaryFile() as log,  # it prints every request, and stands still once a pipe is full
        _pinned(command, core, stdout=log, stderr=log) as process,
    ):
        while not (match := re.search(rb"Listening on ([0-9.]+:\d+)", _text(log))):
            if process.poll() is not None:
                raise RuntimeError("anvil did not start")
            time.sleep(0.05)
        yield Server("anvil", f"http://{match[1].decode()}", process.pid)


def _text(log: IO[bytes]) -> bytes:
    return os.pread(log.fileno(), 100_000, 0)


@contextmanager
def _pinned(
    command: list[str], core: int | None, stderr: Any, stdout: Any = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        time.sleep(0.5)
