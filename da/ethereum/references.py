"""What the inbox says as far as we have read, and how it goes back when the chain reorgs. Pure.

Checkpoints are block hashes that were seen together with everything before them. After a reorg those that no longer
stand are dropped from the top, and every reference above the highest one that stands is forgotten with them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from da.ethereum.inbox import Reference
from sequencer.core.errors import Temporary
from sequencer.core.types import Hash32

CHECKPOINTS: Final = 512
"""Kept at most; one below the finalized block always stays."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block of the chain."""

    number: int
    hash: Hash32


class ReferenceIndex:
    """References in order, from the block after ``start`` on. A checkpoint at ``start`` is taken on trust."""

    def __init__(self, start: Checkpoint) -> None:
        self.start = start.number
        """References are known from the block after it."""
        self._checkpoints = [start]
        self._references: list[Reference] = []
        self._by_place: dict[tuple[int, Hash32], Reference] = {}
        self.finalized = 0

    @property
    def top(self) -> Checkpoint:
        """How far the chain has been read."""
        return self._checkpoints[-1]

    @property
    def references(self) -> Sequence[Reference]:
        """Every reference that was read, in order."""
        return self._references

    def drop_top(self) -> bool:
        """The top checkpoint no longer stands. False if it was the last one: the chain was replaced from below what
        we had taken for settled."""
        if len(self._checkpoints) == 1:
            return False
        self._checkpoints.pop()
        while self._references and self._references[-1].block_number > self.top.number:
            gone = self._references.pop()
            if self._by_place.get((gone.block_number, gone.commitment)) is gone:
                del self._by_place[gone.block_number, gone.commitment]
        return True

    def extend(self, references: Iterable[Reference], tip: Checkpoint) -> None:
        """The chain was read up to ``tip``. Raises ``Temporary`` if the node left something out."""
        found = sorted(references, key=lambda reference: (reference.block_number, reference.log_index))
        expected = self._references[-1].index + 1 if self._references else (found[0].index if found else 0)
        for place, reference in enumerate(found, start=expected):
            if reference.index != place or not self.top.number < reference.block_number <= tip.number:
                raise Temporary(f"the L1 node left out reference {place} of the inbox")
        for reference in found:
            self._references.append(reference)
            self._by_place.setdefault((reference.block_number, reference.commitment), reference)
        self._checkpoints.append(tip)
        self._prune()

    def settle(self, finalized: int) -> None:
        """Blocks up to this one will stay."""
        self.finalized = max(self.finalized, min(finalized, self.top.number))

    def at(self, block_number: int, commitment: bytes) -> Reference | None:
        """The reference to these bytes in this block."""
        return self._by_place.get((block_number, Hash32(commitment)))

    def _prune(self) -> None:
        """Forget what is settled and far behind; whoever wants it asks the node again."""
        if len(self._checkpoints) <= CHECKPOINTS:
            return
        settled = [checkpoint for checkpoint in self._checkpoints if checkpoint.number <= self.finalized]
        if len(settled) < 2:
            return
        del self._checkpoints[: len(settled) - 1]
        self.start = self._checkpoints[0].number
        kept = [reference for reference in self._references if reference.block_number > self.start]
        for gone in self._references[: len(self._references) - len(kept)]:
            self._by_place.pop((gone.block_number, gone.commitment), None)
        self._references = kept
