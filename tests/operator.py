"""A node with operator configuration (``sequencer run``), started with the command that operators type."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sequencer.signer import keystore
from tests.devnet import READY_S, Devnet

PASSWORD = "of no importance"
CHEAP = 2
"""Work factor of the keystore: the key guards nothing."""


def new_directory(folder: Path, devnet_dir: Path) -> Path:
    """A data directory with nothing but the genesis and the key of a devnet's chain."""
    folder.mkdir()
    (folder / "genesis.json").write_text((devnet_dir / "genesis.json").read_text())
    keystore.create(
        folder / "keystore.json", keystore.read_plain_key(devnet_dir / "sequencer.key"), PASSWORD, work=CHEAP
    )
    keystore.write_private(folder / "password", PASSWORD + "\n")
    return folder


def command(folder: Path, *flags: str, settings: Sequence[str] = ()) -> list[str]:
    """``sequencer run`` on free ports."""
    default = (f"node.data_dir={folder}", "rpc.port=0", "metrics.port=0", "node.engine=reference")
    sets = [argument for setting in (*default, *settings) for argument in ("--set", setting)]
    return [sys.executable, "-m", "sequencer", "run", "--json", *sets, *flags]


def refused(folder: Path, *flags: str, settings: Sequence[str] = ()) -> tuple[int, str]:
    """Exit code and standard error of a start that must fail."""
    arguments = command(folder, *flags, settings=settings)
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode, done.stdout
    return done.returncode, done.stderr


@contextmanager
def operating(folder: Path, *flags: str, settings: Sequence[str] = ()) -> Iterator[Devnet]:
    """A running node for the length of the block; killed if still there at its end."""
    log_file = folder.with_name(folder.name + ".log")
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command(folder, *flags, settings=settings), stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(timeout=READY_S)
        process.stdout.close()
        raise AssertionError(f"the node did not start (exit {process.returncode}):\n{log_file.read_text()[-4000:]}")
    node = Devnet(process, json.loads(line), log_file)
    try:
        yield node
    finally:
        if process.poll() is None:
            node.kill()
        process.stdout.close()
