"""What every engine of the log decides in the same way: whether an append may go in (protocol, section 2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sequencer.core.entries import Entry, Takeover, encode
from sequencer.core.errors import Temporary
from sequencer.core.ports import Appended, Refused

MAX_ENTRY_BYTES: Final = 8 << 20
"""A flashblock is at most 1 MiB; nothing that is so much larger can be one."""


@dataclass(frozen=True, slots=True)
class Write:
    """An append as it was asked for, with the entries' bytes."""

    position: int
    fence: int
    entries: tuple[Entry, ...]
    encoded: tuple[bytes, ...]

    @classmethod
    def of(
        cls, entries: Sequence[Entry], position: int, fence: int, encoded: Callable[[Entry], bytes] = encode
    ) -> "Write":
        """The append of ``entries``, encoded here and once."""
        return cls(position, fence, tuple(entries), tuple(map(encoded, entries)))


@dataclass(frozen=True, slots=True)
class LogTail:
    """The log as far as it matters to the next append."""

    first_position: int
    next_position: int
    term: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """These entries are new and may be written at the end of the log; ``term`` is the one after them."""

    entries: tuple[Entry, ...]
    encoded: tuple[bytes, ...]
    term: int


def judge(write: Write, tail: LogTail, stored: Callable[[int], bytes]) -> Accepted | Appended | Refused | Temporary:
    """What becomes of ``write``. ``stored`` gives the bytes of an entry that the log holds.

    Equal entries that are there already are taken as appended whatever the fence, because they are. A write
    that starts beyond the end follows one that failed: it may be tried again after that one.
    """
    if write.position > tail.next_position:
        return Temporary(f"position {write.position} is beyond the end of the log at {tail.next_position}")
    if write.position < tail.first_position:
        return Refused(f"entries before position {tail.first_position} are no longer kept")
    overlap = min(tail.next_position - write.position, len(write.encoded))
    for index in range(overlap):
        if stored(write.position + index) != write.encoded[index]:
            return Refused(f"another entry stands at position {write.position + index}")
    if overlap == len(write.encoded):
        return Appended(write.position)
    entries, encoded = write.entries[overlap:], write.encoded[overlap:]
    if max(map(len, encoded)) > MAX_ENTRY_BYTES:
        return Refused(f"an entry is larger than {MAX_ENTRY_BYTES} bytes")
    term = _term_after(entries, write.fence, tail.term)
    return Accepted(entries, encoded, term) if isinstance(term, int) else term


def _term_after(entries: Sequence[Entry], fence: int, term: int) -> int | Refused:
    """The term after ``entries``: each ``Takeover`` raises it, and the fence must keep up with it."""
    for entry in entries:
        if isinstance(entry, Takeover):
            if entry.term <= term:
                return Refused(f"a takeover must raise the term: {entry.term} after {term}")
            term = entry.term
    if fence < term:
        return Refused(f"the fence is of term {fence}, and the log is in term {term}")
    return term
