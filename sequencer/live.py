"""The newest blocks, from their opening until the block store has them.

What is in here was pre-confirmed: durable in the log and signed. It answers for transactions until the
store does; nothing is in both or in neither as seen from the event loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sequencer.core.block import Block, PayloadAttributes
from sequencer.core.eip712 import Domain
from sequencer.core.entries import FlashblockEntry
from sequencer.core.flashblock import Preconfirmation, SignedFlashblock
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.ports import FlashblockCodec
from sequencer.core.types import Hash32
from sequencer.core.views import FlashblockPublished, Inclusion, OpenBlock
from sequencer.preconf.commitment import Commitment


@dataclass(slots=True)
class LiveBlock:
    """One block that is not stored yet."""

    attributes: PayloadAttributes
    inclusions: dict[Hash32, Inclusion] = field(default_factory=dict)
    commitments: list[Commitment] = field(default_factory=list)
    entries: list[FlashblockEntry] = field(default_factory=list)
    published: list[FlashblockPublished] = field(default_factory=list)
    log_count: int = 0

    @property
    def signed(self) -> tuple[SignedFlashblock, ...]:
        """The signed flashblocks so far."""
        return tuple(commitment.signed for commitment in self.commitments)


class LiveBlocks:
    """All blocks that are not stored yet, oldest first; the last one is open unless it was just sealed."""

    def __init__(self, domain: Domain, codec: FlashblockCodec) -> None:
        self._domain = domain
        self._codec = codec
        self._blocks: dict[int, LiveBlock] = {}

    def opened(self, attributes: PayloadAttributes) -> None:
        """A block begins."""
        self._blocks[attributes.number] = LiveBlock(attributes)

    def preconfirmed(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> FlashblockPublished:
        """A flashblock is durable and signed; its transactions' places. To be published at once, so that nobody
        can find it here without being told."""
        block = self._blocks[signed.flashblock.block_number]
        attributes, position, log_count = block.attributes, signed.flashblock.first_position, block.log_count
        hashes = [pooled.transaction.hash for pooled in closed.taken]
        inclusions = []
        for pooled, outcome in zip(closed.taken, closed.outcomes, strict=True):
            inclusions.append(Inclusion(attributes, position, log_count, pooled.transaction, outcome))
            position += 1
            log_count += len(outcome.logs)
        block.inclusions.update(zip(hashes, inclusions, strict=True))
        block.log_count = log_count
        block.commitments.append(Commitment(self._domain, self._codec, signed, hashes, closed.entry.outcome_hashes))
        block.entries.append(closed.entry)
        published = FlashblockPublished(signed, tuple(inclusions))
        block.published.append(published)
        return published

    def stored(self, block: Block) -> LiveBlock:
        """The store has ``block`` now: forget it, and hand over what was kept."""
        return self._blocks.pop(block.header.number)

    def get(self, number: int) -> LiveBlock:
        """A block that was opened and is not stored yet."""
        return self._blocks[number]

    @property
    def blocks(self) -> Mapping[int, LiveBlock]:
        """By number."""
        return MappingProxyType(self._blocks)

    def inclusion(self, transaction_hash: Hash32) -> Inclusion | None:
        """Where a pre-confirmed transaction stands."""
        for block in self._blocks.values():
            if found := block.inclusions.get(transaction_hash):
                return found
        return None

    def preconfirmation(self, transaction_hash: Hash32) -> Preconfirmation | None:
        """The proof for a pre-confirmed transaction."""
        for block in self._blocks.values():
            if found := block.inclusions.get(transaction_hash):
                for commitment in block.commitments:
                    flashblock = commitment.signed.flashblock
                    if found.position < flashblock.first_position + flashblock.transaction_count:
                        return commitment.preconfirmation(found.position)
        return None

    def open_block(self) -> OpenBlock | None:
        """The newest block as far as it is pre-confirmed."""
        if not self._blocks:
            return None
        block = self._blocks[max(self._blocks)]
        inclusions = block.inclusions.values()
        return OpenBlock(
            block.attributes, tuple(i.transaction for i in inclusions), tuple(i.outcome for i in inclusions)
        )
