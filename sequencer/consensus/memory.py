"""The sequence log's in-memory twin: the same rules, and no disk."""

from collections.abc import Callable, Iterator, Sequence

from sequencer.consensus.rules import Accepted, LogTail, Write, judge
from sequencer.core.entries import Entry, decode
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.ports import Appended, AppendResult


class MemoryLog:
    """A ``SequenceLog`` that lasts as long as the object. Entries go through their bytes, as on a disk."""

    def __init__(self) -> None:
        self._first = 0
        self._encoded: list[bytes] = []
        self._term = 0

    @property
    def next_position(self) -> int:
        """One past the newest entry."""
        return self._first + len(self._encoded)

    @property
    def first_position(self) -> int:
        """The oldest entry still kept."""
        return self._first

    @property
    def term(self) -> int:
        """The highest term in the log."""
        return self._term

    async def append(
        self, entries: Sequence[Entry], position: int, fence: int, durable: Callable[[], None] | None = None
    ) -> AppendResult:
        """See the port; a ``Takeover`` needs its own term as the fence."""
        if not entries:
            raise ValueError("nothing to append")
        write = Write.of(entries, position, fence)
        verdict = judge(write, LogTail(self._first, self.next_position, self._term), self._stored)
        if isinstance(verdict, Temporary):
            raise verdict
        if isinstance(verdict, Accepted):
            self._encoded += verdict.encoded
            self._term = verdict.term
            verdict = Appended(position)
        if durable is not None and isinstance(verdict, Appended):
            durable()
        return verdict

    def read(self, position: int) -> Iterator[tuple[int, Entry]]:
        """Entries from ``position`` on, those included that are appended while reading."""
        while position < self.next_position:
            if position < self._first:
                raise Fatal(f"the log is asked for position {position}, but is kept from {self._first} on only")
            yield position, decode(self._stored(position))
            position += 1

    def retain(self, position: int) -> None:
        """Forget what lies before ``position``, but for the newest entry."""
        drop = max(0, min(position, self.next_position - 1) - self._first)
        del self._encoded[:drop]
        self._first += drop

    def _stored(self, position: int) -> bytes:
        return self._encoded[position - self._first]
