"""The newest blocks, from their opening until the block store has them.

What is in here was pre-confirmed: durable in the log and signed. It answers for transactions until the
store does; nothing is in both or in neither as seen from the event loop.

Most transactions are never asked for while they are in here, so they are kept in columns, and what a question
needs is made for the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import overload

from sequencer.core.block import Block, PayloadAttributes
from sequencer.core.eip712 import Domain
from sequencer.core.entries import FlashblockEntry
from sequencer.core.flashblock import UNSIGNED, Preconfirmation, SignedFlashblock
from sequencer.core.pipeline import ClosedFlashblock
from sequencer.core.ports import FlashblockCodec
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address, Hash32
from sequencer.core.views import FlashblockPublished, Inclusion, OpenBlock, Preconfirmed
from sequencer.preconf.commitment import Commitment


@dataclass(slots=True)
class LiveBlock:
    """One block that is not stored yet."""

    attributes: PayloadAttributes
    positions: dict[Hash32, int] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    commitments: list[Commitment] = field(default_factory=list)
    entries: list[FlashblockEntry] = field(default_factory=list)
    published: list[FlashblockPublished] = field(default_factory=list)
    _logs_before: list[int] = field(default_factory=lambda: [0])
    """By position, as far as somebody asked."""

    @property
    def signed(self) -> tuple[SignedFlashblock, ...]:
        """The signed flashblocks so far."""
        return tuple(commitment.signed for commitment in self.commitments)

    def inclusion(self, position: int) -> Inclusion:
        """The transaction that stands there."""
        logs_before = self.logs_before(position)
        return Inclusion(self.attributes, position, logs_before, self.transactions[position], self.outcomes[position])

    def logs_before(self, position: int) -> int:
        """How many logs the transactions before it have."""
        counted = self._logs_before
        while len(counted) <= position:
            counted.append(counted[-1] + len(self.outcomes[len(counted) - 1].logs))
        return counted[position]


class Placed(Sequence[Inclusion]):
    """Consecutive transactions of a block, each made when it is asked for."""

    __slots__ = ("_block", "_positions")

    def __init__(self, block: LiveBlock, positions: range) -> None:
        self._block = block
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> Inclusion: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Inclusion]: ...
    def __getitem__(self, index: int | slice) -> Inclusion | Sequence[Inclusion]:
        if isinstance(index, slice):
            return Placed(self._block, self._positions[index])
        return self._block.inclusion(self._positions[index])


class LiveBlocks:
    """All blocks that are not stored yet, oldest first; the last one is open unless it was just sealed."""

    def __init__(self, domain: Domain, codec: FlashblockCodec, signer: Address) -> None:
        self._domain = domain
        self._codec = codec
        self._signer = signer
        self._blocks: dict[int, LiveBlock] = {}

    def opened(self, attributes: PayloadAttributes) -> None:
        """A block begins."""
        self._blocks[attributes.number] = LiveBlock(attributes)

    def expected(self, closed: ClosedFlashblock, index: int) -> Preconfirmed | None:
        """What the promise to a flashblock's transaction will be once it is durable, under a signature of zeros; None
        while an earlier flashblock is on its way."""
        flashblock = closed.entry.flashblock
        block = self._blocks.get(flashblock.block_number)
        if block is None or len(block.transactions) != flashblock.first_position:
            return None
        logs_before = block.logs_before(flashblock.first_position) + sum(
            len(outcome.logs) for outcome in closed.outcomes[:index]
        )
        transaction, position = closed.taken[index].transaction, flashblock.first_position + index
        hashes = [pooled.transaction.hash for pooled in closed.taken]
        commitment = Commitment(
            self._domain,
            self._codec,
            SignedFlashblock(flashblock, self._signer, UNSIGNED),
            hashes,
            closed.entry.outcome_hashes,
        )
        return Preconfirmed(
            Inclusion(block.attributes, position, logs_before, transaction, closed.outcomes[index]),
            commitment.preconfirmation(position),
        )

    def preconfirmed(self, signed: SignedFlashblock, closed: ClosedFlashblock) -> FlashblockPublished:
        """A flashblock is durable and signed; its transactions' places. To be published at once, so that nobody
        can find it here without being told."""
        block = self._blocks[signed.flashblock.block_number]
        transactions = [pooled.transaction for pooled in closed.taken]
        hashes = [transaction.hash for transaction in transactions]
        first = signed.flashblock.first_position
        positions = range(first, first + len(transactions))
        block.positions.update(zip(hashes, positions, strict=True))
        block.transactions += transactions
        block.outcomes += closed.outcomes
        block.commitments.append(Commitment(self._domain, self._codec, signed, hashes, closed.entry.outcome_hashes))
        block.entries.append(closed.entry)
        published = FlashblockPublished(signed, Placed(block, positions))
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
            position = block.positions.get(transaction_hash)
            if position is not None:
                return block.inclusion(position)
        return None

    def preconfirmation(self, transaction_hash: Hash32) -> Preconfirmation | None:
        """The proof for a pre-confirmed transaction."""
        for block in self._blocks.values():
            position = block.positions.get(transaction_hash)
            if position is not None:
                for commitment in block.commitments:
                    flashblock = commitment.signed.flashblock
                    if position < flashblock.first_position + flashblock.transaction_count:
                        return commitment.preconfirmation(position)
        return None

    def open_block(self) -> OpenBlock | None:
        """The newest block as far as it is pre-confirmed."""
        if not self._blocks:
            return None
        block = self._blocks[max(self._blocks)]
        return OpenBlock(block.attributes, tuple(block.transactions), tuple(block.outcomes))
