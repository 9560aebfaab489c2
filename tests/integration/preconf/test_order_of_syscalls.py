"""A real node under strace: no byte of a promise leaves before the sync that covers it has returned.

For every pre-confirmation that went out over a socket, the system calls must stand in this order: the transaction
and its flashblock are written to the log; an fdatasync of it, begun after that, returns; the flashblock's hash is
written to the guard's file, where the one before it is durable by then; only then a write to a socket carries the
signature.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sequencer.core.flashblock import Flashblock
from sequencer.core.preconf_json import from_json
from tests.devnet import Devnet

TRACED = "pwrite64,fdatasync,write,writev,sendto,sendmsg"
_CALL = re.compile(r"^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>.*= (-?\d+)")


@dataclass
class Call:
    """One system call: on what, with which data in hex, and between which lines of the trace."""

    name: str
    path: str
    data: str
    begun: int
    ended: int | None


def parse(trace: str) -> list[Call]:
    calls: list[Call] = []
    unfinished: dict[str, Call] = {}
    for number, line in enumerate(trace.splitlines()):
        if match := _CALL.match(line):
            pid, name, _, path, rest = match.groups()
            call = Call(
                name, bytes.fromhex(_hex(path)).decode(), _hex(rest), number, None if "<unfinished" in rest else number
            )
            calls.append(call)
            if call.ended is None:
                unfinished[pid] = call
        elif match := _RESUMED.match(line):
            call = unfinished.pop(match[1])
            call.ended = number
            assert call.name == match[2]
            assert int(match[3]) >= 0
    return calls


def _hex(text: str) -> str:
    """The digits of strace's escaped bytes."""
    return "".join(re.findall(r"\\x([0-9a-f]{2})", text))


def first_written(calls: list[Call], suffix: str, *data: str) -> Call:
    """The call that wrote all of ``data`` to a file of this kind."""
    found = (c for c in calls if c.name == "pwrite64" and c.path.endswith(suffix) and all(d in c.data for d in data))
    return next(found)


def first_covered(calls: list[Call], suffix: str, *data: str) -> int:
    """The line at which a sync returned that was begun after all of ``data`` was written to a file of this kind."""
    written = first_written(calls, suffix, *data)
    assert written.ended is not None
    syncs = [c for c in calls if c.name == "fdatasync" and c.path == written.path and c.begun > written.ended]
    assert syncs, f"never synced: {written.path}"
    ended = syncs[0].ended
    assert ended is not None
    return ended


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_promise_leaves_before_its_syncs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-xx", "-s", "65536", "-e", f"trace={TRACED}", "-o", str(trace)]
    command += [sys.executable, "-m", "sequencer", "devnet", "--json", "--port", "0", "--metrics-port", "0"]
    command += ["--data-dir", str(tmp_path / "node"), "--engine", "reference"]
    log_file = tmp_path / "log"
    with log_file.open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line and "ptrace" in (error := log_file.read_text()).lower():
            pytest.skip(f"this machine does not let processes be traced: {error.splitlines()[0]}")
        node = Devnet(process, json.loads(line), log_file)
        sent = [promised(node, account) for account in (0, 1, 0, 2, 0)]
    finally:
        stop(process)
    calls = parse(trace.read_text())
    before: Flashblock | None = None
    for raw, promise in sent:
        flashblock = from_json(promise).signed.flashblock
        signature = promise["signature"][2:].encode().hex()
        left = next(c for c in calls if c.name != "pwrite64" and "socket" in c.path and signature in c.data)
        durable = first_covered(calls, ".seg", raw.hex(), flashblock.parent.hex(), flashblock.order_root.hex())
        recorded = first_written(calls, ".guard", flashblock.struct_hash.hex())
        assert recorded.ended is not None
        assert durable < recorded.begun
        assert recorded.ended < left.begun
        if before is not None:
            assert first_covered(calls, ".guard", before.struct_hash.hex()) < recorded.begun
        before = flashblock


def promised(node: Devnet, account: int) -> tuple[bytes, dict[str, Any]]:
    raw = node.wallet(account).sign(to=b"\x07" * 20, value=1)
    return raw, node.rpc("eth_sendRawTransactionSync", "0x" + raw.hex(), "0x7530")["preconfirmation"]


def stop(process: subprocess.Popen[str]) -> None:
    """End the traced node; strace ends with it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGTERM)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=30)
    if process.stdout is not None:
        process.stdout.close()
