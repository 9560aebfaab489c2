"""``sequencer db verify`` on a real chain: equal on every engine, and the first difference named when there is one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from execution.selection import native_is_installed
from sequencer.storage import table
from sequencer.storage.rocks import RocksStorage
from tests.devnet import running

GAS_USED = bytes.fromhex("825208")
"""Of a transfer, as receipts hold it."""
ENGINES = "native,reference" if native_is_installed() else "reference"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "node"
    with running(folder, "--block-time", "100ms") as node:
        wallet = node.wallet()
        for serial in range(10):
            raw = wallet.sign(to=serial.to_bytes(20, "big"), value=serial)
            node.rpc("eth_sendRawTransactionSync", "0x" + raw.hex())
        assert node.stop() == 0
    return folder


def verify(folder: Path, *flags: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "sequencer", "db", "verify", "--data-dir", str(folder), "--json"]
    done = subprocess.run(
        [*command, "--engines", ENGINES, *flags], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout, done.stderr[-2000:]
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_an_honest_chain_is_equal_everywhere(chain: Path) -> None:
    code, answer = verify(chain)
    assert (code, answer["equal"], answer["from"], answer["firstDifference"]) == (0, True, 1, None)
    assert answer["to"] >= 1


def test_the_first_difference_is_named(chain: Path) -> None:
    with RocksStorage(chain / "chain") as storage:
        keys = (table.by_number(table.RECEIPTS, number) for number in range(1, 1000))
        number, key = next((n, key) for n, key in enumerate(keys, 1) if GAS_USED in (storage.get(key) or b""))
        honest = storage.get(key) or b""
        storage.write({key: honest.replace(GAS_USED, bytes.fromhex("825209"), 1)})
    code, answer = verify(chain)
    with RocksStorage(chain / "chain") as storage:
        storage.write({key: honest})
    assert (code, answer["equal"]) == (1, False)
    assert answer["firstDifference"]["block"] == number
    assert answer["firstDifference"]["position"] == 0
    assert answer["firstDifference"]["what"] == "outcomeHash"
    assert verify(chain, "--from", str(number + 1))[0] == 0
