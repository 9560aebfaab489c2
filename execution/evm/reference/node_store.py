"""Trie nodes, code and block rows: durable ones in rocksdict, those of blocks not yet committed in layers above.

::

    32-byte hash           -> trie node or code
    "header" || number(8)  -> RLP of the header of a committed block
    "height"               -> number(8) of the newest one
    "format"               -> "1"

A block is committed by one atomic write of its nodes, its row and the height, so the rows always describe a
state that is complete. It survives the death of the process; against power loss there is ``sync``. What a
block's intermediate states left behind is not written.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage
from threading import Lock
from typing import Final

from rocksdict import Options, Rdict, WriteBatch

from sequencer.core.errors import Fatal, Temporary

_FORMAT: Final = b"1"
_REOPEN_BYTES: Final = 8 * 1024 * 1024
"""Opening writes a little too: without this much room the store stays as it is, and readable."""
_RETIRED_LIMIT: Final = 16
_HEIGHT_KEY: Final = b"height"
_FORMAT_KEY: Final = b"format"


def _header_key(number: int) -> bytes:
    return b"header" + number.to_bytes(8, "big")


class NodeStore:
    """``get`` is safe from any thread; everything else is for the one that executes.

    Layers are kept in tuples that are replaced, never changed, so that a reader sees one state of them. The
    last few that went out of use are kept for reads that began before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = _open(folder)
        self._exchange = Lock()
        self._starved = False
        self._layers: tuple[tuple[int, dict[bytes, bytes]], ...] = ()
        self._retired: tuple[tuple[int, dict[bytes, bytes]], ...] = ()

    @classmethod
    def open(cls, folder: Path) -> "NodeStore":
        """The store in ``folder``, created when absent. Raises ``Fatal`` if it cannot be opened or is of another
        format."""
        store = cls(folder)
        found = store._read(_FORMAT_KEY)
        if found not in (None, _FORMAT):
            raise Fatal(f"state in {folder} has format {found!r}, this version reads {_FORMAT!r}")
        return store

    def close(self) -> None:
        """Close the files. What does not reach its table on a full disk is in the write-ahead log."""
        with suppress(Exception):
            self._database.close()

    # -------------------------------------------------------------------------------- nodes

    def get(self, node_hash: bytes) -> bytes | None:
        """The bytes with this hash, or None."""
        for _, layer in reversed(self._layers):
            found = layer.get(node_hash)
            if found is not None:
                return found
        found = self._read(node_hash)
        if found is None:
            found = next((layer[node_hash] for _, layer in self._retired if node_hash in layer), None)
        return found

    def put(self, node_hash: bytes, encoded: bytes) -> None:
        """Add to the newest layer."""
        self._layers[-1][1][node_hash] = encoded

    def begin_layer(self, number: int) -> None:
        """Collect the nodes of block ``number`` from here on."""
        self._layers = (*self._layers, (number, {}))

    def drop_layers(self, number: int) -> None:
        """Forget what block ``number`` and those after it added."""
        self._retire(tuple(layer for layer in self._layers if layer[0] >= number))

    def layer(self, number: int) -> Mapping[bytes, bytes]:
        """What block ``number`` added."""
        return next(nodes for at, nodes in self._layers if at == number)

    def _retire(self, layers: tuple[tuple[int, dict[bytes, bytes]], ...]) -> None:
        self._retired = (*self._retired, *layers)[-_RETIRED_LIMIT:]
        self._layers = tuple(layer for layer in self._layers if all(layer is not gone for gone in layers))

    # --------------------------------------------------------------------------------- rows

    def height(self) -> int | None:
        """The newest committed block; None in an empty store."""
        row = self._read(_HEIGHT_KEY)
        return int.from_bytes(row, "big") if row is not None else None

    def header(self, number: int) -> bytes | None:
        """The RLP of a committed block's header."""
        return self._read(_header_key(number))

    def commit(self, blocks: Iterable[tuple[int, bytes, Mapping[bytes, bytes]]]) -> None:
        """Write blocks: number, header and nodes of each, in order. Raises ``Temporary`` on a full disk."""
        batch = WriteBatch(raw_mode=True)
        batch.put(_FORMAT_KEY, _FORMAT)
        number = 0
        for number, header, nodes in blocks:
            for node_hash, encoded in nodes.items():
                batch.put(node_hash, encoded)
            batch.put(_header_key(number), header)
        batch.put(_HEIGHT_KEY, number.to_bytes(8, "big"))
        self._write(batch)
        self._retire(tuple(layer for layer in self._layers if layer[0] <= number))

    def forget(self, height: int, to: int) -> None:
        """Take the rows above ``to`` back. Their nodes stay, unreachable."""
        batch = WriteBatch(raw_mode=True)
        for number in range(to + 1, height + 1):
            batch.delete(_header_key(number))
        batch.put(_HEIGHT_KEY, to.to_bytes(8, "big"))
        self._write(batch)

    def _read(self, key: bytes) -> bytes | None:
        with self._exchange:
            value: bytes | None = self._database.get(key)
        return value

    def sync(self) -> None:
        """Make everything written so far survive power loss. A failed sync is ``Fatal``: what it left is unknown."""
        try:
            self._database.flush_wal(True)
        except Exception as error:  # rocksdict raises plain Exception for everything
            raise Fatal(f"state cannot be synced: {error}") from error

    def _write(self, batch: WriteBatch) -> None:
        if self._starved:
            self._reopen()
        try:
            self._database.write(batch)
        except Exception as error:  # rocksdict raises plain Exception for everything
            if "No space left" in str(error):
                self._starved = True
                raise Temporary(f"state cannot be written: {error}") from error
            raise Fatal(f"state cannot be written: {error}") from error

    def _reopen(self) -> None:
        """After a write that found no space RocksDB refuses every further one, space or not, until it is opened
        anew; what was written before stays, for it is in the write-ahead log."""
        if disk_usage(self._folder).free < _REOPEN_BYTES:
            raise Temporary("state cannot be written: no space left")
        with self._exchange:
            with suppress(Exception):
                self._database.close()
            try:
                self._database = _open(self._folder)
            except Fatal as error:
                raise Temporary(str(error)) from error
            self._starved = False


def _open(folder: Path) -> Rdict:
    folder.mkdir(parents=True, exist_ok=True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_keep_log_file_num(2)
    try:
        return Rdict(str(folder), options)
    except Exception as error:  # rocksdict raises plain Exception for everything
        raise Fatal(f"state in {folder} cannot be opened: {error}") from error
