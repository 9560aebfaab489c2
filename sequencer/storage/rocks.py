"""The storage port on RocksDB. The only module that imports ``rocksdict``.

Writes go to RocksDB's write-ahead log without a sync: they survive the death of the process, and what a
power loss takes is replayed from the sequence log. ``rocksdict`` holds the GIL in every call, so batches
should stay small on the event loop and ``flush`` has no place there.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
)

from sequencer.core.errors import ConfigError, Fatal, Temporary

BLOCK_CACHE_BYTES: Final = 64 << 20
WRITE_BUFFER_BYTES: Final = 32 << 20
LOG_FILES_KEPT: Final = 4


_log = structlog.get_logger(__name__)


class RocksStorage:
    """A ``Storage`` in one folder, held by this process alone. Use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._db: Any = None

    def open(self) -> None:
        """Open or create the database. Raises ``ConfigError`` if another process has it, ``Fatal`` if it is damaged."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(str(self._directory), _options())
        except Exception as error:
            if "lock" in str(error).lower():
                reason = "the block store is open already, here or in another process: a folder serves one node"
                raise ConfigError("node.data_dir", str(self._directory), reason) from None
            raise self._translated("opening", error) from error

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise self._translated("reading", error) from error
        return value

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < stop`` in key order, or from the end, as they were when asked for."""
        if start >= stop:
            return iter(())
        try:
            rows = self._db.items(backwards=reverse, from_key=stop if reverse else start)
        except Exception as error:
            raise self._translated("reading", error) from error
        return self._rows(rows, start, stop)

    def _rows(self, rows: Iterator[tuple[bytes, bytes]], start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        # The iterator's own bounds are not used: rocksdict 0.3.29 ignores the lower one in raw mode.
        while True:
            try:
                row = next(rows, None)
            except Exception as error:
                raise self._translated("reading", error) from error
            if row is None:
                return
            if row[0] == stop:  # where a reverse iterator begins
                continue
            if not start <= row[0] < stop:
                return
            yield row

    def write(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        """Deletes first, then puts; all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key in deletes:
            batch.delete(key)
        for key, value in puts.items():
            batch.put(key, value)
        try:
            self._db.write(batch)
        except Exception as error:
            raise self._translated("writing", error) from error

    def flush(self) -> None:
        """Sync the write-ahead log."""
        try:
            self._db.flush_wal(True)
        except Exception as error:
            raise self._translated("syncing", error) from error

    def close(self) -> None:
        """Release the folder. The object is of no use afterwards.

        Closing tries to write out what is in memory. Where that fails, for want of space, nothing is lost: it is
        in the write-ahead log, and the next start reads it from there.
        """
        if self._db is None:
            return
        try:
            self._db.close()
        except Exception as error:  # noqa: BLE001 - rocksdict raises plain Exception for everything
            _log.warning("the block store did not close cleanly", error=str(error))

    def _translated(self, doing: str, error: Exception) -> Temporary | Fatal:
        """The error by what the caller should do."""
        text = str(error)
        if "No space left" in text or "Disk quota exceeded" in text:
            return Temporary(f"no space left for the block store in {self._directory}")
        if self._db is None or isinstance(error, DbClosedError):
            return Fatal(f"the block store is not open ({doing}): {text}")
        return Fatal(f"{doing} the block store in {self._directory} failed: {text}")


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(LOG_FILES_KEPT)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(BLOCK_CACHE_BYTES))
    blocks.set_bloom_filter(10, False)
    options.set_block_based_table_factory(blocks)
    return options
