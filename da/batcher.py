"""Cuts the sealed chain into batches. Pure: the same blocks, tip and term give the same batch.

A batch is decided by the log. The order of steps around this module is: ``cut``, append ``BatchClosed`` to
the log, ``advance``, sign, hand to the outbox. ``cut`` changes nothing, so a refused append needs no undo,
and after a crash between log and outbox ``cut_exactly`` makes the very batch that the log names.
Blocks of different resets never share a batch.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from da import body as body_codec
from da import limits
from da.blocks import BatchBlock
from da.codec import ClosedBatch
from da.config import BatcherConfig
from da.transactions import Gathered
from sequencer.core.batch import BatchHeader, flashblocks_root
from sequencer.core.entries import BatchClosed
from sequencer.core.errors import Fatal, Malformed
from sequencer.core.types import Hash32
from sequencer.core.views import PostedBatch


@dataclass(frozen=True, slots=True)
class BatchTip:
    """The last closed batch; at first the genesis block, as batch 0 of block 0."""

    sequence: int
    header_hash: Hash32
    last_block: int

    @classmethod
    def at_genesis(cls, genesis_hash: Hash32) -> "BatchTip":
        """Before the first batch."""
        return cls(0, genesis_hash, 0)

    @classmethod
    def posted(cls, newest: PostedBatch | None, genesis_hash: Hash32) -> "BatchTip":
        """Where the outbox ends."""
        return cls(newest.sequence, newest.header_hash, newest.last_block) if newest else cls.at_genesis(genesis_hash)

    @classmethod
    def after(cls, header: BatchHeader) -> "BatchTip":
        """Once the batch with ``header`` is closed."""
        return cls(header.sequence, header.struct_hash, header.last_block)


@dataclass(frozen=True, slots=True)
class Unposted:
    """What back-pressure looks at: blocks that are sealed but in no batch yet."""

    blocks: int
    size_bytes: int
    oldest_sealed_ms: int | None


@dataclass(frozen=True, slots=True)
class _Waiting:
    block: BatchBlock
    sealed_ms: int
    size_bytes: int


class Batcher:
    """Holds the sealed blocks that are in no batch yet, and says when and where to cut."""

    def __init__(self, config: BatcherConfig, tip: BatchTip) -> None:
        self._config = config
        self._tip = tip
        self._waiting: deque[_Waiting] = deque()
        self._size_bytes = 0

    @property
    def tip(self) -> BatchTip:
        """The last closed batch."""
        return self._tip

    @property
    def unposted(self) -> Unposted:
        """How much waits, and since when."""
        oldest = self._waiting[0].sealed_ms if self._waiting else None
        return Unposted(len(self._waiting), self._size_bytes, oldest)

    def add(self, block: BatchBlock, now_ms: int) -> None:
        """Take the next block, sealed at ``now_ms``. Raises ``Fatal`` if it is not the next or fits no batch."""
        number = block.attributes.number
        expected = self._waiting[-1].block.attributes.number + 1 if self._waiting else self._tip.last_block + 1
        if number != expected:
            raise Fatal(f"batcher: block {number} follows {expected - 1}")
        too_large = (
            block.transaction_bytes > limits.MAX_BLOCK_BYTES
            or block.transaction_count > limits.MAX_BLOCK_TRANSACTIONS
            or len(block.flashblocks) > limits.MAX_BLOCK_FLASHBLOCKS
        )
        if too_large:
            raise Fatal(f"batcher: block {number} is larger than a batch may be")
        size = body_codec.size_estimate(block)
        self._waiting.append(_Waiting(block, now_ms, size))
        self._size_bytes += size

    @property
    def is_full(self) -> bool:
        """Enough waits for a batch of the largest size: waiting longer makes none cheaper."""
        return self._size_bytes >= self._config.target_body_bytes or len(self._waiting) >= self._config.max_blocks

    def due(self, now_ms: int) -> bool:
        """A batch should be closed now: by age, by size, or because waiting would hardly make it cheaper."""
        due_ms = self.next_due_ms()
        return due_ms is not None and due_ms <= now_ms

    def next_due_ms(self) -> int | None:
        """From when on a batch is due if no further block comes; None without blocks."""
        if not self._waiting:
            return None
        config, sealed_ms = self._config, self._waiting[0].sealed_ms
        if self.is_full:
            return sealed_ms
        total_bytes = config.fixed_cost_bytes + self._size_bytes
        if config.fixed_cost_bytes * 100 <= config.overhead_share_percent * total_bytes:
            return sealed_ms + config.min_age_ms
        return sealed_ms + config.max_age_ms

    def cut(self, epoch: int, term: int) -> ClosedBatch:
        """The next batch of the blocks that wait: the longest run from the front that fits, at least one block.

        Encodes the whole body: for large batches run ``close(batcher.tip, batcher.next_run(), ...)`` in a thread.
        """
        return close(self._tip, self.next_run(), epoch, term)

    def next_run(self) -> tuple[BatchBlock, ...]:
        """The blocks of the next batch. Raises ``Fatal`` if none waits."""
        if not self._waiting:
            raise Fatal("batcher: no block to cut")
        reset = self._waiting[0].block.attributes.reset
        run: list[BatchBlock] = []
        size = transactions = flashblocks = 0
        for waiting in islice(self._waiting, self._config.max_blocks):
            block = waiting.block
            size += waiting.size_bytes
            transactions += block.transaction_count
            flashblocks += len(block.flashblocks)
            fits = (
                size <= self._config.target_body_bytes
                and transactions <= limits.MAX_TRANSACTIONS
                and flashblocks <= limits.MAX_FLASHBLOCKS
                and block.attributes.reset == reset
            )
            if run and not fits:
                break
            run.append(block)
        return tuple(run)

    def cut_exactly(self, closed: BatchClosed, epoch: int, term: int) -> ClosedBatch:
        """The batch that the log decided on. ``epoch`` and ``term`` are those in force at that log entry, so
        that every member makes the same header. Raises ``Fatal`` if these blocks do not give that batch."""
        count = closed.last_block - closed.first_block + 1
        follows = closed.sequence == self._tip.sequence + 1 and closed.first_block == self._tip.last_block + 1
        if not follows or not 0 < count <= len(self._waiting):
            raise Fatal(
                f"batcher: batch {closed.sequence} of blocks {closed.first_block} to {closed.last_block} does not "
                f"follow batch {self._tip.sequence}, which ends with block {self._tip.last_block}"
            )
        batch = close(self._tip, tuple(waiting.block for waiting in islice(self._waiting, count)), epoch, term)
        if batch.header.data_hash != closed.data_hash:
            raise Fatal(f"batcher: batch {closed.sequence} does not have the dataHash that the log names")
        return batch

    def advance(self, header: BatchHeader) -> None:
        """The batch is in the log: its blocks wait no longer."""
        if header.previous_batch != self._tip.header_hash:
            raise Fatal(f"batcher: batch {header.sequence} does not extend batch {self._tip.sequence}")
        while self._waiting and self._waiting[0].block.attributes.number <= header.last_block:
            self._size_bytes -= self._waiting.popleft().size_bytes
        self._tip = BatchTip.after(header)


def close(tip: BatchTip, blocks: Sequence[BatchBlock], epoch: int, term: int) -> ClosedBatch:
    """The batch of ``blocks`` after ``tip``. Reads its own body back, so that nothing is ever posted that
    derivation would not rebuild. Raises ``Fatal`` if the blocks break the rules of the format."""
    if any(block.attributes.term > term or block.attributes.epoch > epoch for block in blocks):
        raise Fatal(f"batcher: term {term} of epoch {epoch} closes blocks of a later one")
    gathered = body_codec.gather(blocks)
    body = body_codec.encode(blocks, gathered)
    if not _rebuilds(body, blocks, gathered):
        raise Fatal(f"batcher: blocks from {blocks[0].attributes.number} on cannot be rebuilt from their batch")
    flashblocks = [entry.flashblock for block in blocks for entry in block.flashblocks]
    header = BatchHeader(
        epoch=epoch,
        term=term,
        reset=blocks[0].attributes.reset,
        sequence=tip.sequence + 1,
        previous_batch=tip.header_hash,
        first_block=blocks[0].attributes.number,
        last_block=blocks[-1].attributes.number,
        last_block_hash=blocks[-1].hash,
        state_root=blocks[-1].state_root,
        flashblocks_root=flashblocks_root(flashblocks),
        flashblock_count=len(flashblocks),
        data_hash=body_codec.data_hash(body),
    )
    count = sum(block.transaction_count for block in blocks)
    return ClosedBatch(header, body, count, sum(block.transaction_bytes for block in blocks))


def _rebuilds(body: bytes, blocks: Sequence[BatchBlock], gathered: Gathered) -> bool:
    """Reading ``body`` back gives exactly ``blocks``."""
    try:
        return body_codec.holds(body, blocks, gathered)
    except Malformed:
        return False
