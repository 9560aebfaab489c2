"""The outbox on disk: every batch that the log decided on, until it is final and ever after as a short record.

::

    prefix || 0x00 || sequence(8)    the row (``submission``); stays
    prefix || 0x01 || sequence(8)    the exact bytes of the batch; gone once it is final

A row and its bytes are written in one atomic batch. All methods block: call them in a thread.
"""

from typing import Final

from da import submission
from da.submission import State, Submission
from sequencer.core.errors import Fatal
from sequencer.core.ports import Storage
from sequencer.core.types import UINT64_MAX

PREFIX: Final = b"da/"
_ROW: Final = b"\0"
_BYTES: Final = b"\1"


class Outbox:
    """Rows and bytes by sequence."""

    def __init__(self, storage: Storage, prefix: bytes = PREFIX) -> None:
        self._storage = storage
        self._prefix = prefix

    def load(self) -> tuple[Submission | None, list[Submission]]:
        """The newest final row, if any, and every row after it in order of sequence."""
        last_final: Submission | None = None
        rows: list[Submission] = []
        for _, encoded in self._storage.scan(self._key(_ROW, 0), self._key(_ROW, UINT64_MAX), reverse=True):
            row = submission.decode(encoded)
            if row.state is State.FINAL:
                last_final = row
                break
            rows.append(row)
        return last_final, rows[::-1]

    def insert(self, row: Submission, encoded: bytes) -> None:
        """A new row with the bytes of its batch."""
        self._storage.write({self._key(_ROW, row.sequence): submission.encode(row), self._bytes_key(row): encoded})

    def update(self, row: Submission) -> None:
        """The new state of a row; a final one gives up its bytes."""
        deletes = [self._bytes_key(row)] if row.state is State.FINAL else []
        self._storage.write({self._key(_ROW, row.sequence): submission.encode(row)}, deletes)

    def row(self, sequence: int) -> Submission | None:
        """The row of a batch, whatever its state."""
        encoded = self._storage.get(self._key(_ROW, sequence)) if 0 <= sequence < UINT64_MAX else None
        return submission.decode(encoded) if encoded is not None else None

    def encoded(self, row: Submission) -> bytes:
        """The exact bytes of a batch that is not final. Raises ``Fatal`` if they are gone."""
        encoded = self._storage.get(self._bytes_key(row))
        if encoded is None:
            raise Fatal(f"outbox: the bytes of batch {row.sequence} are missing")
        return encoded

    def _bytes_key(self, row: Submission) -> bytes:
        return self._key(_BYTES, row.sequence)

    def _key(self, table: bytes, sequence: int) -> bytes:
        return self._prefix + table + sequence.to_bytes(8, "big")
