"""Blocks as they enter a batch and as they come out of one.

What re-execution yields (outcome hashes, block hashes, state roots) is not in a batch's body, so the two
are different types: a ``BatchBlock`` knows its results, a ``DerivedBlock`` has yet to be executed.
"""

from dataclasses import dataclass

from sequencer.core.block import BlockRef, PayloadAttributes
from sequencer.core.entries import ArrivalRecord, FlashblockEntry
from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32


@dataclass(frozen=True, slots=True)
class DerivedFlashblock:
    """A flashblock read back from DA: its transactions are in order, their outcomes not yet known."""

    flashblock: Flashblock
    transactions: tuple[bytes, ...]
    arrivals: tuple[ArrivalRecord, ...]


@dataclass(frozen=True, slots=True)
class DerivedBlock:
    """A block read back from DA: everything that is needed to execute it again."""

    attributes: PayloadAttributes
    flashblocks: tuple[DerivedFlashblock, ...]

    @property
    def transactions(self) -> tuple[bytes, ...]:
        """The raw transactions of the block in order."""
        return tuple(raw for entry in self.flashblocks for raw in entry.transactions)


@dataclass(frozen=True, slots=True)
class BatchBlock:
    """A sealed block on its way to DA, as the log holds it: BlockOpen, Flashblocks, BlockSeal."""

    attributes: PayloadAttributes
    flashblocks: tuple[FlashblockEntry, ...]
    hash: Hash32
    state_root: Hash32

    @property
    def ref(self) -> BlockRef:
        """Number and hash."""
        return BlockRef(self.attributes.number, self.hash)

    @property
    def transaction_count(self) -> int:
        """Transactions of all its flashblocks."""
        return sum(len(entry.transactions) for entry in self.flashblocks)

    @property
    def transaction_bytes(self) -> int:
        """Size of its raw transactions."""
        return sum(len(raw) for entry in self.flashblocks for raw in entry.transactions)

    def derived(self) -> DerivedBlock:
        """This block as reading it back from DA must give it."""
        return DerivedBlock(
            self.attributes,
            tuple(DerivedFlashblock(e.flashblock, e.transactions, e.arrivals) for e in self.flashblocks),
        )
