"""Folding log entries back into blocks: the grammar of the log, checked while it is read (protocol, section 2).

::

    log   = (Takeover | BatchClosed | block)*        the two may also stand inside a block
    block = BlockOpen Flashblock* BlockSeal          after a Takeover an open block may only be sealed

A log that was shortened at its front may begin inside a block: entries before the first ``BlockOpen`` are
then taken as they come. The fold keeps the open block and the batches, never completed blocks.
"""

from dataclasses import dataclass, field

from sequencer.core.block import PayloadAttributes
from sequencer.core.entries import BatchClosed, BlockOpen, BlockSeal, Entry, FlashblockEntry, Takeover
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32


@dataclass(frozen=True, slots=True)
class LoggedBlock:
    """A block as the log has it; ``seal`` is None while it is open. Positions are those of the log."""

    attributes: PayloadAttributes
    flashblocks: tuple[FlashblockEntry, ...]
    seal: BlockSeal | None
    first_log_position: int
    last_log_position: int


@dataclass(slots=True)
class _OpenBlock:
    attributes: PayloadAttributes
    first: int
    last: int
    flashblocks: list[FlashblockEntry] = field(default_factory=list)
    transactions: int = 0
    frozen: bool = False
    """A takeover stands in it: it may only be sealed."""

    def logged(self, seal: BlockSeal | None = None) -> LoggedBlock:
        return LoggedBlock(self.attributes, tuple(self.flashblocks), seal, self.first, self.last)


class LogFold:
    """Feed it every entry in order. Raises ``Fatal`` at the first one that breaks the grammar, naming it.

    ``last_flashblock_hash`` is what the first flashblock must have as its parent: the genesis hash for a log
    from position 0, or None if it is not known. ``term`` is the log's term before the first entry.
    """

    def __init__(self, *, last_flashblock_hash: Hash32 | None = None, term: int = 0, epoch: int = 0) -> None:
        self._hash = last_flashblock_hash
        self._last_flashblock: Flashblock | None = None
        self._term = term
        self._epoch = epoch
        self._reset = 0
        self._position: int | None = None
        self._open: _OpenBlock | None = None
        self._sealed: BlockSeal | None = None
        self._inside = False
        self._batches: list[BatchClosed] = []

    @property
    def next_position(self) -> int | None:
        """The position that must come next, None before the first entry."""
        return self._position

    @property
    def open_block(self) -> LoggedBlock | None:
        """The block that is not sealed yet."""
        return self._open.logged() if self._open is not None else None

    @property
    def term(self) -> int:
        """The highest term so far."""
        return self._term

    @property
    def epoch(self) -> int:
        """The epoch of the newest takeover or block."""
        return self._epoch

    @property
    def last_flashblock(self) -> Flashblock | None:
        """The newest flashblock's struct, which names its block and index."""
        return self._last_flashblock

    @property
    def last_flashblock_hash(self) -> Hash32 | None:
        """What the next flashblock must have as its parent; None if the log does not say."""
        return self._hash

    @property
    def last_seal(self) -> BlockSeal | None:
        """The newest completed block."""
        return self._sealed

    @property
    def batches(self) -> tuple[BatchClosed, ...]:
        """Every batch that was closed, in order."""
        return tuple(self._batches)

    def feed(self, position: int, entry: Entry) -> LoggedBlock | None:
        """Take the entry at ``position``; returns the block that it completes, if it does."""
        if self._position is None:
            self._inside = position > 0
        elif position != self._position:
            raise Fatal(f"log position {position} follows {self._position - 1}: entries are missing")
        self._position = position + 1
        match entry:
            case Takeover():
                self._take_over(position, entry)
            case BatchClosed():
                self._close_batch(position, entry)
            case BlockOpen(attributes):
                self._open_block(position, attributes)
            case FlashblockEntry():
                self._add_flashblock(position, entry)
            case BlockSeal():
                return self._seal(position, entry)
        return None

    def _take_over(self, position: int, entry: Takeover) -> None:
        if entry.term <= self._term:
            raise _broken(position, f"a takeover of term {entry.term} after term {self._term}")
        if entry.epoch < self._epoch:
            raise _broken(position, f"a takeover of epoch {entry.epoch} after epoch {self._epoch}")
        self._term, self._epoch = entry.term, entry.epoch
        if self._open is not None:
            self._open.frozen = True

    def _close_batch(self, position: int, entry: BatchClosed) -> None:
        if self._batches:
            before = self._batches[-1]
            if (entry.sequence, entry.first_block) != (before.sequence + 1, before.last_block + 1):
                raise _broken(
                    position,
                    f"batch {entry.sequence} from block {entry.first_block} after batch {before.sequence} up to "
                    f"block {before.last_block}",
                )
        if entry.last_block < entry.first_block:
            raise _broken(position, f"batch {entry.sequence} ends with block {entry.last_block}, before it begins")
        if self._sealed is not None and entry.last_block > self._sealed.number:
            raise _broken(position, f"batch {entry.sequence} ends with block {entry.last_block}, which is not sealed")
        self._batches.append(entry)

    def _open_block(self, position: int, attributes: PayloadAttributes) -> None:
        if self._open is not None:
            raise _broken(position, f"block {attributes.number} opens inside block {self._open.attributes.number}")
        if attributes.term < self._term or attributes.epoch < self._epoch:
            raise _broken(
                position,
                f"block {attributes.number} of term {attributes.term}, epoch {attributes.epoch} in term {self._term}, "
                f"epoch {self._epoch}",
            )
        if attributes.reset > self._reset and (self._sealed is not None or self._hash is not None):
            # Promises were undone: the chain goes on from the last block derived from L1 (protocol, section 5).
            self._hash = attributes.parent_hash
        elif self._sealed is not None:
            expected = (self._sealed.number + 1, self._sealed.hash)
            if (attributes.number, attributes.parent_hash) != expected:
                raise _broken(
                    position,
                    f"block {attributes.number} on 0x{attributes.parent_hash.hex()} does not follow block "
                    f"{self._sealed.number} 0x{self._sealed.hash.hex()}",
                )
        self._inside = False
        self._epoch, self._reset = attributes.epoch, attributes.reset
        self._open = _OpenBlock(attributes, position, position)

    def _add_flashblock(self, position: int, entry: FlashblockEntry) -> None:
        flashblock = entry.flashblock
        if self._hash is not None and flashblock.parent != self._hash:
            raise _broken(
                position,
                f"flashblock {flashblock.index} of block {flashblock.block_number} has parent "
                f"0x{flashblock.parent.hex()}, not 0x{self._hash.hex()}",
            )
        block = self._open
        if block is not None:
            _check_place(position, block, flashblock)
            block.flashblocks.append(entry)
            block.transactions += flashblock.transaction_count
            block.last = position
        elif not self._inside:
            raise _broken(position, f"a flashblock of block {flashblock.block_number}, which is not open")
        self._hash = flashblock.struct_hash
        self._last_flashblock = flashblock

    def _seal(self, position: int, entry: BlockSeal) -> LoggedBlock | None:
        block, self._open = self._open, None
        if block is None:
            if not self._inside:
                raise _broken(position, f"block {entry.number} is sealed, but is not open")
            self._inside = False
            self._sealed = entry
            return None
        if entry.number != block.attributes.number:
            raise _broken(position, f"block {entry.number} is sealed while {block.attributes.number} is open")
        self._sealed = entry
        block.last = position
        return block.logged(entry)


def _check_place(position: int, block: _OpenBlock, flashblock: Flashblock) -> None:
    """The flashblock is the next one of the open block, under its term."""
    attributes = block.attributes
    if block.frozen:
        raise _broken(position, f"a flashblock after the takeover of block {attributes.number}")
    checks = (
        ("block", flashblock.block_number, attributes.number),
        ("index", flashblock.index, len(block.flashblocks)),
        ("first position", flashblock.first_position, block.transactions),
        ("term", flashblock.term, attributes.term),
        ("epoch", flashblock.epoch, attributes.epoch),
        ("reset", flashblock.reset, attributes.reset),
    )
    for name, found, expected in checks:
        if found != expected:
            raise _broken(position, f"a flashblock with {name} {found} where {expected} is due")
    if flashblock.transaction_count < 1:
        raise _broken(position, "a flashblock without transactions")


def _broken(position: int, what: str) -> Fatal:
    return Fatal(f"the sequence log breaks its grammar at position {position}: {what}")
