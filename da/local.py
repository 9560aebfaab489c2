"""The DA layer ``local``: a folder in which blobs become public by being files.

::

    da/genesis.json              a copy of the chain's genesis file
    da/000000000001.blob         the blob at height 1: exactly its bytes
    da/000000000002.blob         ...
    da/.new-000000000003.blob    a blob being written; swept away at the next start

A blob is written under its temporary name, synced, renamed, and the folder synced: it is there whole or not
at all, and final at once. One blob a height, heights without gaps. The folder is all that ``derive`` needs.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

from sequencer.core.errors import Fatal, Temporary, Unknown
from sequencer.core.keccak import keccak256
from sequencer.core.ports import BlobRef, BlobStatus, DaLimits

LAYER: Final = "local"
GENESIS_FILE: Final = "genesis.json"
BLOB_SIZE_BYTES: Final = 1024 * 1024
_MAX_READ_BYTES: Final = 64 * 1024 * 1024
"""A file beyond this is no blob of ours, and is not read into memory."""
_NAME: Final = re.compile(r"(\d{12,20})\.blob")
_TEMPORARY: Final = ".new-"


class LocalLayer:
    """The folder, for one writer. ``open`` before use; any number of readers may look on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._head = 0
        self._lock = asyncio.Lock()

    def open(self, genesis_text: str) -> None:
        """Create the folder or find it, and make sure it is this chain's. Blocking. Raises ``Fatal`` if it holds
        another genesis, ``Temporary`` if the disk refuses."""
        genesis_file = self._folder / GENESIS_FILE
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for leftover in self._folder.glob(f"{_TEMPORARY}*"):
                leftover.unlink()
            if not genesis_file.exists():
                self._publish(GENESIS_FILE, genesis_text.encode())
            elif genesis_file.read_bytes() != genesis_text.encode():
                raise Fatal(f"{self._folder} holds the batches of another chain")
            self._head = max(heights(self._folder), default=0)
        except OSError as error:
            raise Temporary(f"local DA folder: {error}") from error

    @property
    def layer(self) -> str:
        """``local``."""
        return LAYER

    def limits(self) -> DaLimits:
        """Files have no limit that matters; blobs of a moderate size keep reading cheap."""
        return DaLimits(BLOB_SIZE_BYTES)

    def commitment(self, blob: bytes) -> bytes:
        """keccak256 of the blob."""
        return keccak256(blob)

    async def submit(self, blobs: Sequence[bytes]) -> list[BlobRef]:
        """Write the blobs at the next heights, synced."""
        async with self._lock:
            return await asyncio.to_thread(self._submit, list(blobs))

    async def find(self, commitments: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        """Compare every blob from ``from_height`` on."""
        return await asyncio.to_thread(self._find, list(commitments), from_height)

    async def status(self, ref: BlobRef) -> BlobStatus:
        """Final if the file is there."""
        exists = await asyncio.to_thread(self._path(ref.height).exists)
        return BlobStatus.FINAL if exists else BlobStatus.MISSING

    async def fetch(self, ref: BlobRef) -> bytes:
        """The file's bytes."""
        return await asyncio.to_thread(read, self._folder, ref.height)

    async def head(self) -> int:
        """The newest height."""
        return self._head

    async def blobs(self, from_height: int) -> AsyncIterator[tuple[BlobRef, bytes]]:
        """Every blob from ``from_height`` to the newest one at this moment."""
        for height in await asyncio.to_thread(_sorted_heights, self._folder, from_height):
            blob = await asyncio.to_thread(read, self._folder, height)
            yield BlobRef(LAYER, height, keccak256(blob)), blob

    def _submit(self, blobs: Sequence[bytes]) -> list[BlobRef]:
        refs: list[BlobRef] = []
        for blob in blobs:
            height = self._head + 1
            try:
                self._publish(_name(height), blob)
            except OSError as error:
                if refs or self._path(height).exists():
                    self._head = max(heights(self._folder), default=self._head)
                    raise Unknown(f"local DA folder: {error}") from error
                raise Temporary(f"local DA folder: {error}") from error
            self._head = height
            refs.append(BlobRef(LAYER, height, keccak256(blob)))
        return refs

    def _find(self, commitments: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        wanted = set(commitments)
        found: dict[bytes, BlobRef] = {}
        for height in range(max(from_height, 1), self._head + 1):
            commitment = keccak256(read(self._folder, height))
            if commitment in wanted:
                found.setdefault(commitment, BlobRef(LAYER, height, commitment))
        return [found.get(commitment) for commitment in commitments]

    def _publish(self, name: str, content: bytes) -> None:
        """Write, sync, rename, sync the folder. A failure before the rename leaves nothing behind."""
        temporary = self._folder / (_TEMPORARY + name)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._folder / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _path(self, height: int) -> Path:
        return self._folder / _name(height)


def heights(folder: Path) -> Iterator[int]:
    """The heights of the blobs in ``folder``, in no order. Blocking."""
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and _name(int(match[1])) == entry.name:
                yield int(match[1])


def read(folder: Path, height: int) -> bytes:
    """The blob at ``height``. Blocking. Raises ``Temporary`` if it cannot be read."""
    path = folder / _name(height)
    try:
        if path.stat().st_size > _MAX_READ_BYTES:
            return b""
        return path.read_bytes()
    except OSError as error:
        raise Temporary(f"local DA folder: {error}") from error


def read_all(folder: Path) -> Iterator[tuple[BlobRef, bytes]]:
    """Every blob of a folder in order: what ``derive`` reads. Blocking. Raises ``Temporary``."""
    for height in _sorted_heights(folder, 1):
        blob = read(folder, height)
        yield BlobRef(LAYER, height, keccak256(blob)), blob


def _sorted_heights(folder: Path, from_height: int) -> list[int]:
    try:
        return sorted(height for height in heights(folder) if height >= from_height)
    except OSError as error:
        raise Temporary(f"local DA folder: {error}") from error


def _name(height: int) -> str:
    return f"{height:012d}.blob"
