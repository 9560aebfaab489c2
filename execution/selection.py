"""Which engine runs a chain: what was asked for, what is installed, and what its state was made with.

A data directory remembers its engine in the file ``engine``, for the two keep their state in different forms;
a snapshot or a rebuild moves a chain from one to the other.
"""

import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from sequencer.core.errors import ConfigError
from sequencer.core.native_extension import native_extension
from sequencer.core.ports import ExecutionEngine

CHOICES: Final = ("auto", "native", "reference")
REFERENCE_FORKS: Final = ("cancun", "prague")
"""What the reference engine claims; it proves it when it opens."""
_MARKER: Final = "engine"


def open_engine(
    choice: str,
    data_dir: Path,
    *,
    forks_needed: Sequence[str],
    read_workers: int = 1,
    pass_fds: Sequence[int] = (),
    background: bool = False,
) -> ExecutionEngine:
    """The engine for ``data_dir``, started but not waited for; with ``background`` it makes way for others.

    ``auto`` keeps to the engine that made the state, else takes the native one where it is installed.
    ``pass_fds`` stay open in every process that the engine starts, so that a lock held through them lasts until
    the last one is gone. Raises ``ConfigError`` if the engine is missing, did not make the state that is there, or
    does not run every fork in ``forks_needed``.
    """
    recorded = _recorded(data_dir)
    name = _resolve(choice, recorded)
    if name == "native":
        engine = _open_native(data_dir, forks_needed, read_workers, background)
    else:
        engine = _open_reference(data_dir, forks_needed, read_workers, pass_fds, background)
    if recorded is None:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / _MARKER).write_text(name + "\n")
    return engine


def open_verifying_engine(
    like: ExecutionEngine, data_dir: Path, *, forks_needed: Sequence[str], pass_fds: Sequence[int] = ()
) -> ExecutionEngine:
    """A second engine of the same kind as ``like``, which follows the chain out of the way of everything else.

    Its state is in ``data_dir``, apart from the first one's, and may be lost: one that another kind of engine made is
    thrown away.
    """
    if _recorded(data_dir) not in (None, like.name):
        shutil.rmtree(data_dir)
    return open_engine(like.name, data_dir, forks_needed=forks_needed, pass_fds=pass_fds, background=True)


def native_is_installed() -> bool:
    """Whether there is a Rust extension to be imported."""
    return native_extension() is not None


def _open_native(data_dir: Path, forks_needed: Sequence[str], read_workers: int, background: bool) -> ExecutionEngine:
    adapter = import_module("execution.evm.native.engine")
    folder = data_dir / "state-native"
    engine: ExecutionEngine = adapter.NativeEngine(folder, background=background, readers=read_workers)
    _require(engine.forks, forks_needed, "native")
    return engine


def _open_reference(
    data_dir: Path, forks_needed: Sequence[str], read_workers: int, pass_fds: Sequence[int], background: bool
) -> ExecutionEngine:
    from execution.evm.reference.engine import ReferenceEngine

    _require(REFERENCE_FORKS, forks_needed, "reference")
    folder = data_dir / "state-reference"
    return ReferenceEngine(folder, read_workers=read_workers, pass_fds=pass_fds, background=background)


def _recorded(data_dir: Path) -> str | None:
    marker = data_dir / _MARKER
    return marker.read_text().strip() or None if marker.exists() else None


def _resolve(choice: str, recorded: str | None) -> str:
    if choice not in CHOICES:
        raise ConfigError("node.engine", choice, f"is none of {', '.join(CHOICES)}")
    if recorded is not None and choice not in ("auto", recorded):
        raise ConfigError("node.engine", choice, f"the state in the data directory was made by the {recorded} engine")
    name = recorded or choice
    if name == "auto":
        return "native" if native_is_installed() else "reference"
    if name == "native" and not native_is_installed():
        raise ConfigError("node.engine", choice, "the native engine is not installed: `make native` builds it")
    return name


def _require(forks: Sequence[str], needed: Sequence[str], name: str) -> None:
    missing = [fork for fork in needed if fork not in forks]
    if missing:
        raise ConfigError("node.engine", name, f"does not run the rules of {', '.join(missing)}")
