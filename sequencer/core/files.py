"""The one door between what must be durable and the disk, so that tests can put a disk behind it that loses power.

Methods raise ``OSError`` as the system calls of the same names do; what it means is decided by the caller.
"""

from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """What the log, the guard and the pool's journal do with files, which are opened for reading and writing."""

    def make_dir(self, path: Path) -> None:
        """Create the folder and its parents, unless it is there."""
        ...

    def listdir(self, path: Path) -> list[str]:
        """The names in a folder, in no order."""
        ...

    def open(self, path: Path, *, create: bool = False) -> int:
        """A descriptor of the file; with ``create`` it must not have been there."""
        ...

    def close(self, fd: int) -> None: ...

    def size(self, fd: int) -> int:
        """The file's length in bytes."""
        ...

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """At most ``size`` bytes; fewer only at the end of the file."""
        ...

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        """Write and return how many bytes were taken, which may be fewer than given."""
        ...

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file off after ``size`` bytes."""
        ...

    def fallocate(self, fd: int, size: int) -> None:
        """Reserve space for the first ``size`` bytes; what was not written reads as zero."""
        ...

    def fdatasync(self, fd: int) -> None:
        """Return once the file's content and size are durable."""
        ...

    def rename(self, old: Path, new: Path) -> None: ...

    def unlink(self, path: Path) -> None: ...

    def fsync_dir(self, path: Path) -> None:
        """Return once the folder's names are durable."""
        ...
