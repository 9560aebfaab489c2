"""The steps of a process that can be its last: named, counted, and cut off wherever a campaign wants."""

import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from sequencer.storage.memory import MemoryStorage
from sequencer.testing.disk import SimulatedDisk


class Died(Exception):
    """The process is gone; whatever still runs of it runs into this at its next step."""


class Steps:
    """Counts steps by name, and dies before the ``last``-th one of the name ``at``, or at ``die``."""

    def __init__(self, at: str = "", last: int = 0) -> None:
        self.taken: Counter[str] = Counter()
        self.dead = threading.Event()
        self.died_at = ""
        self._at = at
        self._last = last
        self._lock = threading.Lock()

    def take(self, name: str) -> None:
        """Another step begins. Raises ``Died``."""
        with self._lock:
            if self.dead.is_set():
                raise Died(name)
            self.taken[name] += 1
            if name == self._at and self.taken[name] >= self._last:
                self.dead.set()
                self.died_at = name
                raise Died(name)

    def die(self) -> None:
        """Now."""
        with self._lock:
            self.dead.set()


class ProcessDisk:
    """The disk as one process sees it. Each call that changes anything is a step, named by file and call."""

    def __init__(self, disk: SimulatedDisk, steps: Steps) -> None:
        self._disk = disk
        self._steps = steps
        self._paths: dict[int, Path] = {}

    def make_dir(self, path: Path) -> None:
        self._disk.make_dir(path)

    def listdir(self, path: Path) -> list[str]:
        return self._disk.listdir(path)

    def open(self, path: Path, *, create: bool = False) -> int:
        if create:
            self._steps.take(f"{_kind(path)} create")
        fd = self._disk.open(path, create=create)
        self._paths[fd] = path
        return fd

    def close(self, fd: int) -> None:
        if not self._steps.dead.is_set():
            self._disk.close(fd)

    def size(self, fd: int) -> int:
        return self._disk.size(fd)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return self._disk.pread(fd, size, offset)

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        self._steps.take(f"{_kind(self._paths[fd])} write")
        return self._disk.pwrite(fd, data, offset)

    def fallocate(self, fd: int, size: int) -> None:
        self._steps.take(f"{_kind(self._paths[fd])} allocate")
        self._disk.fallocate(fd, size)

    def fdatasync(self, fd: int) -> None:
        self._steps.take(f"{_kind(self._paths[fd])} sync")
        self._disk.fdatasync(fd)

    def rename(self, old: Path, new: Path) -> None:
        self._steps.take(f"{_kind(new)} rename")
        self._disk.rename(old, new)
        self._paths = {fd: new if path == old else path for fd, path in self._paths.items()}

    def unlink(self, path: Path) -> None:
        self._steps.take(f"{_kind(path)} unlink")
        self._disk.unlink(path)

    def fsync_dir(self, path: Path) -> None:
        self._steps.take("folder sync")
        self._disk.fsync_dir(path)


def _kind(path: Path) -> str:
    if path.parent.name == "guard":
        return "guard"
    return "spare segment" if path.suffix == ".spare" else "log"


class DurableRows:
    """What a store wrote, in order; everything after the last flush may be lost, but only from the end."""

    def __init__(self) -> None:
        self.writes: list[tuple[dict[bytes, bytes], list[bytes]]] = []
        self.flushed = 0

    def lose(self, random: Random) -> None:
        """The power goes."""
        del self.writes[random.randint(self.flushed, len(self.writes)) :]
        self.flushed = len(self.writes)


class ProcessStorage(MemoryStorage):
    """The store as one process sees it."""

    def __init__(self, rows: DurableRows, steps: Steps) -> None:
        super().__init__()
        self._durable = rows
        self._steps = steps
        for puts, deletes in rows.writes:
            super().write(puts, deletes)

    def write(self, puts: Mapping[bytes, bytes], deletes: Any = ()) -> None:
        self._steps.take("store write")
        gone = list(deletes)
        self._durable.writes.append((dict(puts), gone))
        super().write(puts, gone)

    def flush(self) -> None:
        self._steps.take("store flush")
        self._durable.flushed = len(self._durable.writes)
