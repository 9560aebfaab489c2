"""A batch on its way to the layer: one row of the outbox, and the moves that it may make.

::

    prepared -> submitted(refs) -> included -> final          lost -> prepared, from submitted or included

    row = version(1) = 2 || rlp([state, sequence, headerHash, firstBlock, lastBlock, lastBlockHash, dataHash,
                                 sizeBytes, blobSizeBytes, preparedMs, attempts, attemptedMs, fromHeight,
                                 [[layer, height, commitment]], transactions, transactionBytes, fee, feeUnit])

Each row is written before the step that it allows. ``attempts`` rises before anything is sent, so a row with
attempts may already stand on the layer, from ``from_height`` on, whatever its state says: look before sending.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from da.codec import SignedBatch
from sequencer.core import rlp
from sequencer.core.block import BlockRef
from sequencer.core.errors import Malformed
from sequencer.core.ports import BlobRef
from sequencer.core.types import Hash32
from sequencer.core.views import PostedBatch

VERSION: Final = 2


class State(IntEnum):
    """How far a batch has come."""

    PREPARED = 1
    SUBMITTED = 2
    INCLUDED = 3
    FINAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One batch of the outbox. Times are unix milliseconds."""

    state: State = State.PREPARED
    sequence: int
    header_hash: Hash32
    first_block: int
    last_block: BlockRef
    data_hash: Hash32
    size_bytes: int
    blob_size_bytes: int
    """The layer's limit when the batch was packed: packing again gives the same blobs."""
    prepared_ms: int
    attempts: int = 0
    attempted_ms: int = 0
    from_height: int = 0
    """The layer's height before the first attempt."""
    refs: tuple[BlobRef, ...] = ()
    transactions: int = 0
    transaction_bytes: int = 0
    fee: int = 0
    """What posting cost, in the layer's smallest coin; 0 while it is not known."""
    fee_unit: str = ""

    @classmethod
    def prepare(cls, batch: SignedBatch, size_bytes: int, blob_size_bytes: int, now_ms: int) -> "Submission":
        """The first row of a batch."""
        header = batch.header
        return cls(
            sequence=header.sequence,
            header_hash=header.struct_hash,
            first_block=header.first_block,
            last_block=BlockRef(header.last_block, header.last_block_hash),
            data_hash=header.data_hash,
            size_bytes=size_bytes,
            blob_size_bytes=blob_size_bytes,
            prepared_ms=now_ms,
            transactions=batch.transactions,
            transaction_bytes=batch.transaction_bytes,
        )

    def perhaps_sent(self, from_height: int) -> "Submission":
        """As ``prepare``, when an earlier row may have been lost with the disk's last writes: look first."""
        return replace(self, attempts=1, from_height=from_height)

    def attempted(self, now_ms: int, height: int) -> "Submission":
        """About to be sent, while the layer stands at ``height``."""
        from_height = self.from_height if self.attempts else height
        return replace(self, attempts=self.attempts + 1, attempted_ms=now_ms, from_height=from_height)

    def not_sent(self) -> "Submission":
        """The last attempt certainly published nothing: the next one need not wait for it to show up."""
        return replace(self, attempted_ms=0)

    def repacked(self, blob_size_bytes: int) -> "Submission":
        """Cut into smaller blobs, because the layer does not take larger ones."""
        return replace(self, blob_size_bytes=blob_size_bytes)

    def submitted(self, refs: tuple[BlobRef, ...]) -> "Submission":
        """The layer says, or we found, that the blobs stand at ``refs``."""
        return replace(self, state=State.SUBMITTED, refs=refs)

    def included(self, fee: int = 0, fee_unit: str = "") -> "Submission":
        """Read back and equal, byte for byte; it has cost so much."""
        return replace(self, state=State.INCLUDED, fee=fee, fee_unit=fee_unit)

    def final(self) -> "Submission":
        """It can no longer leave the layer."""
        return replace(self, state=State.FINAL)

    def lost(self) -> "Submission":
        """It is not where it was: back to prepared, to be looked for and sent again."""
        return replace(self, state=State.PREPARED, refs=())

    def view(self, layer: str) -> PostedBatch:
        """What users see of it."""
        return PostedBatch(
            sequence=self.sequence,
            header_hash=self.header_hash,
            first_block=self.first_block,
            last_block=self.last_block.number,
            data_hash=self.data_hash,
            state=self.state.name.lower(),
            layer=self.refs[0].layer if self.refs else layer,
            height=self.refs[-1].height if self.refs else None,
            size_bytes=self.size_bytes,
            transactions=self.transactions,
            transaction_bytes=self.transaction_bytes,
            fee=self.fee,
            fee_unit=self.fee_unit,
        )


def encode(row: Submission) -> bytes:
    """The bytes of a row."""
    fields: list[rlp.Item] = [
        rlp.uint(row.state),
        rlp.uint(row.sequence),
        row.header_hash,
        rlp.uint(row.first_block),
        rlp.uint(row.last_block.number),
        row.last_block.hash,
        row.data_hash,
        rlp.uint(row.size_bytes),
        rlp.uint(row.blob_size_bytes),
        rlp.uint(row.prepared_ms),
        rlp.uint(row.attempts),
        rlp.uint(row.attempted_ms),
        rlp.uint(row.from_height),
        [[ref.layer.encode(), rlp.uint(ref.height), ref.commitment] for ref in row.refs],
        rlp.uint(row.transactions),
        rlp.uint(row.transaction_bytes),
        rlp.uint(row.fee),
        row.fee_unit.encode(),
    ]
    return bytes((VERSION,)) + rlp.encode(fields)


def decode(encoded: bytes) -> Submission:
    """The row in ``encoded``. Raises ``Malformed``."""
    if encoded[:1] != bytes((VERSION,)):
        raise Malformed("outbox: unknown row version")
    items = rlp.as_list(rlp.decode_list(encoded[1:]), 18)
    numbers = {i: rlp.as_uint(items[i], 64) for i in (0, 1, 3, 4, 7, 8, 9, 10, 11, 12, 14, 15)}
    hashes = {i: Hash32(rlp.as_fixed(items[i], 32)) for i in (2, 5, 6)}
    try:
        state = State(numbers[0])
        refs = tuple(_ref(item) for item in rlp.as_list(items[13]))
        fee_unit = rlp.as_bytes(items[17]).decode()
    except ValueError:
        raise Malformed("outbox: unknown state, layer or coin") from None
    return Submission(
        state=state,
        sequence=numbers[1],
        header_hash=hashes[2],
        first_block=numbers[3],
        last_block=BlockRef(numbers[4], hashes[5]),
        data_hash=hashes[6],
        size_bytes=numbers[7],
        blob_size_bytes=numbers[8],
        prepared_ms=numbers[9],
        attempts=numbers[10],
        attempted_ms=numbers[11],
        from_height=numbers[12],
        refs=refs,
        transactions=numbers[14],
        transaction_bytes=numbers[15],
        fee=rlp.as_uint(items[16], 256),
        fee_unit=fee_unit,
    )


def _ref(item: rlp.Decoded) -> BlobRef:
    layer, height, commitment = rlp.as_list(item, 3)
    return BlobRef(rlp.as_bytes(layer).decode(), rlp.as_uint(height, 64), rlp.as_bytes(commitment))
