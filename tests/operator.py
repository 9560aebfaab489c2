"""A node with operator configuration (``sequencer run``), started with the command that operators type."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sequencer.signer import keystore
from tests.devnet import Devnet, ended_after, launch

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
    with ended_after(launch(command(folder, *flags, settings=settings), folder)) as node:
        yield node
