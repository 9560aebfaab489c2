"""The process and its folder: one process at a time, an orderly stop, and an eye on the disk.

The data directory is guarded by an OS lock on ``<data_dir>/lock``. The kernel drops it when the last process
that holds the open file is gone, however it went, so there is no PID file to go stale; ``kill -9`` may leave
worker processes that live a moment longer, which is why a new start waits a little before it gives up.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from sequencer.core.errors import ConfigError, Fatal, Temporary

FORMAT_VERSION: Final = 1
"""Of everything below the data directory; a start on another version is refused."""
LOCK_WAIT_S: Final = 10.0
_LOCK_RETRY_S: Final = 0.02
EXIT_FORCED: Final = 130


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A locked data directory: while one is held, no other process has it."""

    path: Path
    descriptor: int
    """The open lock file. A child that inherits it keeps the directory locked until it is gone too."""

    @property
    def genesis_file(self) -> Path:
        """The chain's constants and first state."""
        return self.path / "genesis.json"

    @property
    def key_file(self) -> Path:
        """The development network's sequencer key, in the clear."""
        return self.path / "sequencer.key"

    @property
    def keystore_file(self) -> Path:
        """An operator's sequencer key, encrypted."""
        return self.path / "keystore.json"

    @property
    def password_file(self) -> Path:
        """The password of the keystore, unless the settings name another."""
        return self.path / "password"

    @property
    def config_file(self) -> Path:
        """The configuration that ``sequencer init`` wrote."""
        return self.path / "config.toml"


@contextlib.contextmanager
def hold_data_directory(path: Path, wait_s: float = LOCK_WAIT_S) -> Iterator[DataDirectory]:
    """Create (mode 0700), lock and check the directory, and keep the lock inside the ``with`` block.

    Raises ``Temporary`` if another process has it, ``ConfigError`` if it cannot be used.
    """
    path = path.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError("node.data_dir", str(path), error.strerror or "cannot be used") from None
    try:
        try:
            _lock(descriptor, path, wait_s)
            _check_format(path)
        except OSError as error:
            raise ConfigError("node.data_dir", str(path), error.strerror or "cannot be used") from None
        yield DataDirectory(path, descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, wait_s: float) -> None:
    give_up = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise Temporary(f"another process uses the data directory {path}: stop it first") from None
            time.sleep(_LOCK_RETRY_S)
        else:
            return


def _check_format(path: Path) -> None:
    file = path / "format"
    try:
        text = file.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        if (path / "log").exists() or (path / "chain").exists():  # genesis and keys alone hold no chain yet
            raise ConfigError("node.data_dir", str(path), "holds a chain but no format version") from None
        write_whole(file, f"{FORMAT_VERSION}\n")
        return
    if text != str(FORMAT_VERSION):
        reason = f"has format version {text}, this program uses {FORMAT_VERSION}"
        raise ConfigError("node.data_dir", str(path), reason)


def write_whole(file: Path, text: str) -> None:
    """Write a file so that after a crash it is there whole, old or new, but never half."""
    temporary = file.with_name(f".{file.name}.new")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# ------------------------------------------------------------------------------------------------- signals


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process at once, code 130.

    For use inside the running event loop. What was there before is restored on the way out.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def received() -> None:
        if stop.is_set():
            os._exit(EXIT_FORCED)
        stop.set()

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        loop.add_signal_handler(number, received)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


# ---------------------------------------------------------------------------------------------- disk space


class DiskLevel(Enum):
    """What the free space on the data directory's disk allows."""

    AMPLE = "ample"
    LOW = "low"
    """Refuse new transactions; the log and the outbox still write, so that what was promised is posted."""
    FULL = "full"
    """Stop promising: the next append may fail."""


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """Free bytes below which a level begins, and what must be free on top before it ends."""

    low_bytes: int = 512 * 1024**2
    full_bytes: int = 64 * 1024**2
    hysteresis_bytes: int = 64 * 1024**2


def disk_level(free_bytes: int, before: DiskLevel, limits: DiskLimits) -> DiskLevel:
    """The level at ``free_bytes``; a level once reached is left only well above its limit, so none flaps."""
    full = limits.full_bytes + (limits.hysteresis_bytes if before is DiskLevel.FULL else 0)
    low = limits.low_bytes + (limits.hysteresis_bytes if before is not DiskLevel.AMPLE else 0)
    if free_bytes < full:
        return DiskLevel.FULL
    return DiskLevel.LOW if free_bytes < low else DiskLevel.AMPLE


async def watch_disk(
    path: Path, limits: DiskLimits, on_change: Callable[[DiskLevel, int], None], interval_s: float = 5.0
) -> None:
    """Call ``on_change(level, free_bytes)`` whenever the level changes, until cancelled. Starts as ample."""
    level = DiskLevel.AMPLE
    while True:
        try:
            free_bytes = await asyncio.to_thread(free_space_bytes, path)
        except OSError as error:
            raise Fatal(f"the data directory {path} is gone: {error.strerror}") from None
        found = disk_level(free_bytes, level, limits)
        if found is not level:
            level = found
            on_change(level, free_bytes)
        await asyncio.sleep(interval_s)


def free_space_bytes(path: Path) -> int:
    """Bytes that this process may still write to the disk of ``path``."""
    figures = os.statvfs(path)
    return figures.f_bavail * figures.f_frsize
