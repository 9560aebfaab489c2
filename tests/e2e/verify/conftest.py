"""A real node's pre-confirmation from a flashblock of several transactions, and the scripts that verify it."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.devnet import Devnet
from tests.preconfirmations import Document
from tests.wallet import transaction_hash

ATTEMPTS = 50


@pytest.fixture(scope="module")
def promise(devnet: Devnet) -> Document:
    """The middle one of a flashblock with branches: what sequencer_getPreconfirmation answers."""
    wallet = devnet.wallet(3)
    for _ in range(ATTEMPTS):
        raws = [wallet.sign(to=b"\x11" * 20, value=1) for _ in range(16)]
        send_together(devnet.url, raws)
        for raw in raws:
            found: Document | None = devnet.rpc("sequencer_getPreconfirmation", transaction_hash(raw))
            # Two siblings at least, so that dropping, adding and turning them round are different doctorings.
            if found is not None and len(found["orderBranch"]) >= 2 and int(found["position"], 16) > 0:
                return found
    raise AssertionError(f"no flashblock of several transactions in {ATTEMPTS} attempts")


def send_together(url: str, raws: list[bytes]) -> None:
    """One JSON-RPC batch, answered when the last one is pre-confirmed."""
    methods = ["eth_sendRawTransaction"] * (len(raws) - 1) + ["eth_sendRawTransactionSync"]
    calls = [
        {"jsonrpc": "2.0", "id": at, "method": method, "params": ["0x" + raw.hex()]}
        for at, (method, raw) in enumerate(zip(methods, raws, strict=True))
    ]
    request = urllib.request.Request(url, json.dumps(calls).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answers = json.load(response)
    assert not [answer for answer in answers if "error" in answer]


@pytest.fixture(scope="module")
def chain(devnet: Devnet) -> Document:
    """What the node states about itself, in the form that the JavaScript verifier takes."""
    domain = devnet.rpc("sequencer_rollupConfig")["domain"]
    return {"domain": domain, "sequencers": devnet.rpc("sequencer_getSequencerSet")}


@pytest.fixture(scope="session")
def run_script(clients: Path) -> Callable[..., Any]:
    """Run a script of tests/clients: JSON in, JSON out."""

    def run(name: str, given: object, *arguments: str) -> Any:
        done = subprocess.run(
            ["node", name, *arguments],
            cwd=clients,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def browser() -> str:
    """A Chromium on this machine."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on this machine (on Debian: apt-get install chromium)")
