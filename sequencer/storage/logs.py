"""Log search: the postings of every condition are walked side by side, each jumping to where the others are.

The work grows with the rarest condition, not with the length of the chain: a rare address in 100,000 busy
blocks costs a few seeks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sequencer.core.block import Header
from sequencer.core.ports import Storage
from sequencer.core.receipt import Log
from sequencer.core.types import Address, Hash32
from sequencer.storage.blocks import BlockStore
from sequencer.storage.postings import ADDRESS, ANY, TOPICS, decode_positions, posting_key, term
from sequencer.storage.rows import StoredBlock

_STEPS_BEFORE_SEEK: Final = 8
"""Stepping over a few postings is cheaper than a seek."""


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A log at its place. ``log_index`` counts the logs of the block."""

    header: Header
    transaction_hash: Hash32
    position: int
    log_index: int
    log: Log


class LogIndex:
    """Finds logs in sealed blocks. Blocking; safe in any thread."""

    def __init__(self, storage: Storage, blocks: BlockStore) -> None:
        self._storage = storage
        self._blocks = blocks

    def logs(
        self,
        from_block: int,
        to_block: int,
        addresses: Sequence[Address] = (),
        topics: Sequence[Sequence[Hash32] | None] = (),
    ) -> Iterator[FoundLog]:
        """Logs of blocks ``from_block`` to ``to_block``, both included, in order.

        A log matches if its address is one of ``addresses`` (any, if empty), it has at least as many topics as
        ``topics``, and each of its topics is one of those at the same place (any, if None or empty). The search
        goes on as the iterator is advanced, so the caller bounds it by stopping.
        """
        head = self._blocks.head()
        if head is None or len(topics) > len(TOPICS):
            return
        wanted = _Wanted(frozenset(addresses), tuple(frozenset(place or ()) for place in topics))
        for number, positions in self._candidates(wanted, max(from_block, 0), min(to_block, head.number)):
            stored = self._blocks.stored(number)
            if stored is not None:
                yield from _matches(stored, positions, wanted)

    def _candidates(self, wanted: "_Wanted", first: int, last: int) -> Iterator[tuple[int, frozenset[int] | None]]:
        """Blocks in which every condition has a posting, with the transactions that all of them name."""
        cursors = [_Cursor(self._storage, terms, last) for terms in wanted.conditions()]
        number = first
        while number <= last:
            at = number
            for cursor in cursors:
                found = cursor.seek(at)
                if found is None:
                    return
                at = found
            if all(cursor.number == at for cursor in cursors):
                positions = [cursor.positions() for cursor in cursors]
                named = [each for each in positions if each is not None]
                yield at, frozenset.intersection(*named) if named else None
                number = at + 1
            else:
                number = at


@dataclass(frozen=True, slots=True)
class _Wanted:
    addresses: frozenset[Address]
    topics: tuple[frozenset[Hash32], ...]

    def conditions(self) -> list[list[bytes]]:
        """For each condition, the terms of which one must be there."""
        conditions = [[term(ADDRESS, address) for address in self.addresses]]
        conditions += [[term(kind, topic) for topic in place] for kind, place in zip(TOPICS, self.topics, strict=False)]
        return [sorted(set(terms)) for terms in conditions if terms] or [[ANY]]

    def matches(self, log: Log) -> bool:
        if self.addresses and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        return all(not place or topic in place for place, topic in zip(self.topics, log.topics, strict=False))


class _Cursor:
    """The postings of one condition in block order, over all of its terms."""

    def __init__(self, storage: Storage, terms: Sequence[bytes], last: int) -> None:
        self._walks = [_Walk(storage, of, last) for of in terms]
        self.number = -1

    def seek(self, number: int) -> int | None:
        """The first block from ``number`` on that has a posting."""
        found = [at for walk in self._walks if (at := walk.seek(number)) is not None]
        if not found:
            return None
        self.number = min(found)
        return self.number

    def positions(self) -> frozenset[int] | None:
        """The transactions named in the block it stands at, None for all of them."""
        rows = [walk.row for walk in self._walks if walk.number == self.number]
        return frozenset(position for row in rows for position in decode_positions(row)) if all(rows) else None


class _Walk:
    """The postings of one term in block order."""

    def __init__(self, storage: Storage, of: bytes, last: int) -> None:
        self._storage = storage
        self._term = of
        self._stop = posting_key(of, last + 1)
        self._rows: Iterator[tuple[bytes, bytes]] | None = None
        self.number: int | None = -1
        self.row = b""

    def seek(self, number: int) -> int | None:
        """The first block from ``number`` on with this term."""
        steps = 0
        while self.number is not None and self.number < number:
            if self._rows is None or steps == _STEPS_BEFORE_SEEK:
                self._rows = self._storage.scan(posting_key(self._term, number), self._stop)
            steps += 1
            key, self.row = next(self._rows, (b"", b""))
            self.number = int.from_bytes(key[-8:], "big") if key else None
        return self.number


def _matches(stored: StoredBlock, positions: frozenset[int] | None, wanted: _Wanted) -> Iterator[FoundLog]:
    for position in range(len(stored)) if positions is None else sorted(positions):
        outcome = stored.outcome(position)
        for index, log in enumerate(outcome.logs, outcome.first_log_index):
            if wanted.matches(log):
                yield FoundLog(stored.header, stored.transaction_hash(position), position, index, log)
