"""A disk that loses power, runs full and fails, all from a seed. It offers what the log's ``Files`` asks for.

What has been synced survives ``power_loss``. Of everything else any part may survive: each unsynced 512-byte
sector on its own, each unsynced change of size, each unsynced name. A failed sync behaves as on Linux: the
pages count as clean afterwards although they never reached the disk, so a second sync would succeed and
prove nothing.
"""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

SECTOR_BYTES: Final = 512


@dataclass(slots=True)
class _Inode:
    """A file's content as the program sees it and as the disk has it, and the sectors that a sync will write."""

    content: bytearray = field(default_factory=bytearray)
    synced: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)
    reserved: int = 0


@dataclass(slots=True)
class Faults:
    """What goes wrong next. Each is a countdown of successful calls, None for never."""

    pwrite_no_space: int | None = None
    pwrite_short: int | None = None
    fdatasync_error: int | None = None

    def strikes(self, name: str) -> bool:
        """Count one call of the kind ``name`` down, and say whether this is the one that fails."""
        left: int | None = getattr(self, name)
        if left is None:
            return False
        setattr(self, name, left - 1 if left else None)
        return left == 0


class SimulatedDisk:
    """Files in memory. ``capacity_bytes`` bounds what may be reserved or written."""

    def __init__(self, capacity_bytes: int = 1 << 40) -> None:
        self.capacity_bytes = capacity_bytes
        self.faults = Faults()
        self.syncs = 0
        self._names: dict[Path, _Inode] = {}
        self._synced_names: dict[Path, _Inode] = {}
        self._open: dict[int, _Inode] = {}
        self._next_fd = 3

    # ------------------------------------------------------------------------------------------- files

    def make_dir(self, path: Path) -> None:
        """Folders are only prefixes of names here."""

    def listdir(self, path: Path) -> list[str]:
        return [name.name for name in self._names if name.parent == path]

    def open(self, path: Path, *, create: bool = False) -> int:
        if create == (path in self._names):
            raise _error(errno.EEXIST if create else errno.ENOENT)
        inode = self._names.setdefault(path, _Inode()) if create else self._names[path]
        self._next_fd += 1
        self._open[self._next_fd] = inode
        return self._next_fd

    def close(self, fd: int) -> None:
        del self._open[fd]

    def size(self, fd: int) -> int:
        return len(self._open[fd].content)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return bytes(self._open[fd].content[offset : offset + size])

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        inode = self._open[fd]
        if self.faults.strikes("pwrite_no_space"):
            raise _error(errno.ENOSPC)
        if self.faults.strikes("pwrite_short"):
            data = data[: len(data) // 2]
            self.faults.pwrite_no_space = 0
        end = offset + len(data)
        self._reserve(inode, end)
        if len(inode.content) < end:
            inode.content.extend(bytes(end - len(inode.content)))
        inode.content[offset:end] = data
        if data:
            inode.dirty.update(range(offset // SECTOR_BYTES, (end - 1) // SECTOR_BYTES + 1))
        return len(data)

    def fallocate(self, fd: int, size: int) -> None:
        inode = self._open[fd]
        self._reserve(inode, size)
        if len(inode.content) < size:
            inode.content.extend(bytes(size - len(inode.content)))

    def truncate(self, fd: int, size: int) -> None:
        del self._open[fd].content[size:]

    def fdatasync(self, fd: int) -> None:
        inode = self._open[fd]
        self.syncs += 1
        if self.faults.strikes("fdatasync_error"):
            inode.dirty.clear()
            raise _error(errno.EIO)
        self._persist(inode, inode.dirty, len(inode.content))
        del inode.synced[len(inode.content) :]

    def rename(self, old: Path, new: Path) -> None:
        self._names[new] = self._names.pop(old)

    def unlink(self, path: Path) -> None:
        if path not in self._names:
            raise _error(errno.ENOENT)
        del self._names[path]

    def fsync_dir(self, path: Path) -> None:
        elsewhere = {name: inode for name, inode in self._synced_names.items() if name.parent != path}
        self._synced_names = elsewhere | {name: inode for name, inode in self._names.items() if name.parent == path}

    # ------------------------------------------------------------------------------------------ events

    def crash(self) -> None:
        """The process dies, the machine does not: everything written stays, descriptors are gone."""
        self._open.clear()

    def power_loss(self, random: Random) -> None:
        """The machine dies: unsynced sectors, sizes and names survive or not, as ``random`` has it."""
        self._open.clear()
        names: dict[Path, _Inode] = {}
        for path in sorted(self._names.keys() | self._synced_names.keys()):
            old, new = self._synced_names.get(path), self._names.get(path)
            chosen = new if old is new or random.random() < 0.5 else old
            if chosen is not None:
                names[path] = chosen
        for inode in {id(inode): inode for inode in names.values()}.values():
            survivors = {sector for sector in sorted(inode.dirty) if random.random() < 0.5}
            size = random.choice([len(inode.synced), len(inode.content)])
            self._persist(inode, survivors, size)
            del inode.synced[size:]
            inode.content = bytearray(inode.synced)
            inode.dirty.clear()
        self._names = names
        self._synced_names = dict(names)

    def flip(self, path: Path, offset: int, mask: int = 0xFF) -> None:
        """Damage one byte where it rests."""
        inode = self._names[path]
        inode.content[offset] ^= mask
        inode.synced[offset] ^= mask

    def paths(self) -> list[Path]:
        """Every file there is."""
        return sorted(self._names)

    # ---------------------------------------------------------------------------------------- internals

    def _reserve(self, inode: _Inode, size: int) -> None:
        inodes = {id(known): known for known in (*self._names.values(), *self._open.values())}
        used = sum(known.reserved for known in inodes.values())
        if size > inode.reserved:
            if used + size - inode.reserved > self.capacity_bytes:
                raise _error(errno.ENOSPC)
            inode.reserved = size

    def _persist(self, inode: _Inode, sectors: set[int], size: int) -> None:
        if len(inode.synced) < size:
            inode.synced.extend(bytes(size - len(inode.synced)))
        for sector in sectors:
            start = sector * SECTOR_BYTES
            piece = inode.content[start : min(start + SECTOR_BYTES, size)]
            inode.synced[start : start + len(piece)] = piece
        if sectors is inode.dirty:
            sectors.clear()


def _error(code: int) -> OSError:
    """The error as the system call would raise it."""
    return OSError(code, os.strerror(code))
