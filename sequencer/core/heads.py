"""How final a block is, in the words of the field: unsafe (sealed), safe (on DA), finalized (DA or L1 final).

Always finalized <= safe <= unsafe, and finalized never moves back (invariant I5).
"""

from dataclasses import dataclass, replace

from sequencer.core.block import BlockRef
from sequencer.core.errors import Fatal


@dataclass(frozen=True, slots=True)
class Heads:
    """The three heads at one moment. Cannot be made out of order."""

    unsafe: BlockRef
    safe: BlockRef
    finalized: BlockRef

    def __post_init__(self) -> None:
        if not self.finalized.number <= self.safe.number <= self.unsafe.number:
            raise Fatal(
                f"heads out of order: finalized {self.finalized.number}, safe {self.safe.number}, "
                f"unsafe {self.unsafe.number}"
            )

    @classmethod
    def at_genesis(cls, genesis: BlockRef) -> "Heads":
        """All three on the genesis block."""
        return cls(genesis, genesis, genesis)

    def sealed(self, block: BlockRef) -> "Heads":
        """After ``block`` was sealed on top of the unsafe head."""
        return replace(self, unsafe=block)

    def posted(self, block: BlockRef) -> "Heads":
        """After the batch that ends with ``block`` was read back from DA; may also move back on a DA reorg."""
        return replace(self, safe=block)

    def final(self, block: BlockRef) -> "Heads":
        """After that batch can no longer leave the DA layer."""
        if block.number < self.finalized.number:
            raise Fatal(f"finalized head would move back from {self.finalized.number} to {block.number}")
        return replace(self, finalized=block)
