"""A guard on disk: opened, checked against the place where it was made, and written durably.

The file is made once, whole, and never grows. A write that fails is fatal: what the disk holds is then unknown,
and without a guard nothing may be signed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sequencer.core.errors import Fatal
from sequencer.core.files import Files
from sequencer.core.types import Hash32
from sequencer.preconf import guard_format as fmt
from sequencer.preconf.guard import GuardRefused, GuardState, SignedBatch
from sequencer.preconf.guard_format import GuardedChain, Home
from sequencer.preconf.interchange import GuardRecord


class GuardFile:
    """The guard of one key on one chain. One caller at a time."""

    def __init__(self, directory: Path, chain: GuardedChain, files: Files, home_of: Callable[[int], Home]) -> None:
        self.chain = chain
        self.path = directory / chain.file_name
        self._files = files
        self._home_of = home_of
        self._fd = -1
        self._sequence = 0
        self._unsynced = False
        self._failure = ""
        self.state = GuardState()
        self.batches: dict[int, Hash32] = {}

    @property
    def exists(self) -> bool:
        """There is a file of this key and chain. Raises ``Fatal`` if that cannot be found out."""
        with _told(self.path, "looked for"):
            self._files.make_dir(self.path.parent)
            return self.path.name in self._files.listdir(self.path.parent)

    @property
    def record(self) -> GuardRecord:
        """Everything it knows."""
        return GuardRecord(self.chain, self.state, dict(self.batches))

    def create(self) -> None:
        """Make and open a guard that knows of no signature. Durable when this returns; raises ``Fatal``."""
        temporary = self.path.with_suffix(".new")
        files = self._files
        with _told(self.path, "made"):
            if temporary.name in files.listdir(temporary.parent):
                files.unlink(temporary)
            fd = files.open(temporary, create=True)
            try:
                self._write_all(fd, bytes(fmt.FILE_BYTES), 0)
                self._write_all(fd, fmt.encode_header(self.chain, self._home_of(fd)), 0)
                self._write_all(fd, fmt.encode_slot(0, GuardState()), fmt.slot_offset(0))
                files.fdatasync(fd)
            finally:
                files.close(fd)
            files.rename(temporary, self.path)
            files.fsync_dir(self.path.parent)
        self.open()

    def open(self, *, anywhere: bool = False) -> None:
        """Read and check. Raises ``GuardRefused`` if it is damaged, foreign, or (but for ``anywhere``) a copy."""
        with _told(self.path, "opened"):
            fd = self._files.open(self.path)
        try:
            self._load(fd, anywhere=anywhere)
        except BaseException:
            with suppress(OSError):  # what is wrong with it is told already
                self._files.close(fd)
            raise
        self._fd = fd

    def _load(self, fd: int, *, anywhere: bool) -> None:
        with _told(self.path, "read"):
            data = self._files.pread(fd, self._files.size(fd), 0)
            home = self._home_of(fd)
        header = fmt.decode_header(data)
        if isinstance(header, str):
            raise self._damaged(header)
        chain, made_at = header
        if chain != self.chain:
            raise GuardRefused(
                f"{self.path} guards key 0x{chain.key.hex()} on chain {chain.chain_id} with genesis "
                f"0x{chain.genesis_hash.hex()}, not this node's: use that chain's data directory"
            )
        if made_at != home and not anywhere:
            raise _copied(self.path, made_at, home)
        slot = fmt.newest_slot(data)
        if slot is None:
            raise self._damaged("none of its records is valid")
        self._sequence, self.state = slot
        self.batches = fmt.batches(data)

    def settle_here(self) -> None:
        """Make this copy the one that counts. Durable when this returns; raises ``Fatal``."""
        with _told(self.path, "settled here"):
            home = self._home_of(self._fd)
        self._write(fmt.encode_header(self.chain, home), 0)
        self._sync()

    def write(self, state: GuardState, *, sync: bool = True) -> None:
        """Record a watermark, durably unless told otherwise. Raises ``Fatal``."""
        self._write(fmt.encode_slot(self._sequence + 1, state), fmt.slot_offset(self._sequence + 1))
        self._sequence += 1
        self._unsynced = True
        if sync:
            self.sync()
        self.state = state

    def sync(self) -> None:
        """Make what was written without sync durable. Raises ``Fatal``."""
        if self._unsynced:
            self._sync()

    def write_batch(self, batch: SignedBatch) -> None:
        """Record a batch durably. Raises ``Fatal``."""
        self._write(fmt.encode_batch(batch), fmt.batch_offset(batch.sequence))
        self._sync()
        self.batches.pop(batch.sequence - fmt.BATCHES, None)
        self.batches[batch.sequence] = batch.struct_hash

    def close(self) -> None:
        """Sync what was written without, and release the file, which is let go of even if this raises ``Fatal``."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        with _told(self.path, "synced and closed"):
            try:
                if not self._failure:
                    self._files.fdatasync(fd)
            finally:
                self._files.close(fd)

    def _write(self, data: bytes, offset: int) -> None:
        if self._failure:
            raise Fatal(self._failure)
        try:
            self._write_all(self._fd, data, offset)
        except OSError as error:
            raise self._failed("writing to", error) from error

    def _sync(self) -> None:
        if self._failure:
            raise Fatal(self._failure)
        try:
            self._files.fdatasync(self._fd)
        except OSError as error:
            raise self._failed("syncing", error) from error
        self._unsynced = False

    def _failed(self, doing: str, error: OSError) -> Fatal:
        self._failure = (
            f"{doing} the guard {self.path} failed: {error}. What it holds on the disk is now unknown, so nothing may "
            "be signed; check the disk, then start again"
        )
        return Fatal(self._failure)

    def _write_all(self, fd: int, data: bytes, offset: int) -> None:
        written = 0
        while written < len(data):
            written += self._files.pwrite(fd, data[written:], offset + written)

    def _damaged(self, what: str) -> GuardRefused:
        return GuardRefused(
            f"the guard {self.path} is damaged: {what}. Without it nobody can tell what the key has signed. Put the "
            "newest copy in its place, or move it away and run: sequencer guard import FILE, with the newest export"
        )


def find_guards(directory: Path, files: Files, home_of: Callable[[int], Home]) -> list[GuardFile]:
    """The guards in a folder, not yet opened. Raises ``GuardRefused`` for a damaged one, ``Fatal`` if the disk does
    not answer."""
    with _told(directory, "looked for"):
        files.make_dir(directory)
        names = sorted(files.listdir(directory))
    found = []
    for name in names:
        if not name.endswith(fmt.SUFFIX):
            continue
        with _told(directory / name, "read"):
            fd = files.open(directory / name)
            try:
                header = fmt.decode_header(files.pread(fd, files.size(fd), 0))
            finally:
                files.close(fd)
        if isinstance(header, str):
            raise GuardRefused(f"the guard {directory / name} is damaged: {header}; move it away")
        found.append(GuardFile(directory, header[0], files, home_of))
    return found


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Errors of the disk in the node's words: the guard cannot be ``what``."""
    try:
        yield
    except OSError as error:
        raise Fatal(f"the guard {path} cannot be {what}: {error}") from error


def _copied(path: Path, made_at: Home, here: Home) -> GuardRefused:
    if made_at.inode != here.inode:
        what = "is a copy: it was made as another file, which may still be in use or may know of newer signatures"
    else:
        what = "was made on another machine: the disk may have been cloned, and the other node may still run"
    return GuardRefused(
        f"the guard {path} {what}. Two nodes with one key would contradict each other. If this is the only one left, "
        "stop the other for good, take its newest guard (sequencer guard export FILE), and make this the one that "
        "counts: sequencer guard import FILE"
    )
