"""The body of a batch: blocks as columns (protocol, section 5).

The same blocks give the same bytes everywhere. What follows from the rest is not written: block numbers are
consecutive; a flashblock has its block's number, epoch, term and reset, the block's extra data as its
ordering policy, its index and first position by counting, its order root from the transactions, and its
parent from the flashblock before it. ``flashblocksRoot`` in the signed header covers all of these, so a body
that would rebuild other flashblocks than the signed ones is refused. Column kinds are those of ``columns``;
``n`` blocks, ``f`` flashblocks, ``t`` transactions.

::

    body          version(1) = 2 || blocks || flashblocks || transactions || arrivals || proofs

    blocks        uint n || uint number of the first
                  fixed parentHash(32) || delta timestamp || delta gasLimit || delta baseFeePerGas (256 bits)
                  fixed coinbase(20) || fixed prevRandao(32) || fixed extraData(32)
                  fixed parentBeaconBlockRoot(32) || delta epoch || delta term || delta reset
                  delta l1OriginNumber || delta l1OriginTime || delta forcedCursor || delta forcedDeadline
    flashblocks   uint flashblocks of each block (n)
                  parent(32) of the first, if there is one
                  uint transactionCount || delta timestampMs || delta postBy || fixed outcomesRoot(32)    (f each)
    transactions  uint size || the section drawn in ``transaction_columns`` (t)
    arrivals      delta sequence || uint ageMs || fixed origin(1)                                         (t each)
    proofs        uint 0: VRF proofs, one a block; none where prevRandao comes from the chain's seed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from da import limits, transactions
from da.blocks import BatchBlock, DerivedBlock, DerivedFlashblock
from da.columns import ColumnReader, ColumnWriter
from sequencer.core import merkle
from sequencer.core.block import PayloadAttributes
from sequencer.core.entries import ArrivalRecord
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import Flashblock, order_leaves
from sequencer.core.keccak import keccak256
from sequencer.core.types import UINT64_MAX, Hash32

VERSION: Final = 2

_FIXED: Final = 0
_BLOCK_COLUMNS: Final = (
    # name, bits of an integer, or 0 and the size of a byte string
    ("parent_hash", _FIXED, 32),
    ("timestamp", 64, 0),
    ("gas_limit", 64, 0),
    ("base_fee_per_gas", 256, 0),
    ("coinbase", _FIXED, 20),
    ("prev_randao", _FIXED, 32),
    ("extra_data", _FIXED, 32),
    ("parent_beacon_block_root", _FIXED, 32),
    ("epoch", 64, 0),
    ("term", 64, 0),
    ("reset", 32, 0),
    ("l1_origin_number", 64, 0),
    ("l1_origin_time", 64, 0),
    ("forced_cursor", 64, 0),
    ("forced_deadline", 64, 0),
)

BLOCK_OVERHEAD_BYTES: Final = 192
"""More than any usual block adds to a body beside its transactions."""
FLASHBLOCK_OVERHEAD_BYTES: Final = 52
TRANSACTION_OVERHEAD_BYTES: Final = 10


def size_estimate(block: BatchBlock) -> int:
    """About how many bytes ``block`` adds to a body, without encoding it; rather too many than too few."""
    return (
        BLOCK_OVERHEAD_BYTES
        + FLASHBLOCK_OVERHEAD_BYTES * len(block.flashblocks)
        + TRANSACTION_OVERHEAD_BYTES * block.transaction_count
        + block.transaction_bytes
    )


def encode(blocks: Sequence[BatchBlock | DerivedBlock]) -> bytes:
    """The body of ``blocks``, which are consecutive and at least one."""
    out = ColumnWriter()
    out.fixed((bytes((VERSION,)),))
    _write_blocks(out, [block.attributes for block in blocks])
    entries = [entry for block in blocks for entry in block.flashblocks]
    out.uints(len(block.flashblocks) for block in blocks)
    flashblocks = [entry.flashblock for entry in entries]
    if flashblocks:
        out.fixed((flashblocks[0].parent,))
    out.uints(f.transaction_count for f in flashblocks)
    out.deltas(f.timestamp_ms for f in flashblocks)
    out.deltas(f.post_by for f in flashblocks)
    out.fixed(f.outcomes_root for f in flashblocks)
    section = transactions.encode([raw for entry in entries for raw in entry.transactions])
    out.uint(len(section))
    out.fixed((section,))
    arrivals = list(chain.from_iterable(entry.arrivals for entry in entries))
    out.deltas(arrival.sequence for arrival in arrivals)
    out.uints(arrival.age_ms for arrival in arrivals)
    out.fixed((bytes(arrival.origin for arrival in arrivals),))
    out.uint(0)
    return out.finish()


def decode(body: bytes) -> tuple[DerivedBlock, ...]:
    """The blocks of a body. Raises ``Malformed``, and nothing else, whatever the bytes."""
    if len(body) > limits.MAX_BODY_BYTES:
        raise Malformed(f"body: {len(body)} bytes, more than {limits.MAX_BODY_BYTES}")
    if body[:1] != bytes((VERSION,)):
        raise Malformed("body: unknown version")
    reader = ColumnReader(body[1:])
    attributes = _read_blocks(reader)
    columns = _read_flashblocks(reader, len(attributes))
    raws = transactions.decode(reader.section(limits.MAX_BODY_BYTES), columns.transactions)
    arrivals = _read_arrivals(reader, columns.transactions)
    reader.uint(0, "number of VRF proofs")
    reader.finish()
    return _assemble(attributes, columns, raws, arrivals)


@dataclass(frozen=True, slots=True)
class _FlashblockColumns:
    """The columns of the flashblocks, with the count of each block and of all transactions."""

    per_block: list[int]
    first_parent: Hash32
    transaction_counts: list[int]
    timestamps_ms: list[int]
    post_bys: list[int]
    outcomes_roots: list[bytes]
    transactions: int


def _write_blocks(out: ColumnWriter, attributes: Sequence[PayloadAttributes]) -> None:
    out.uint(len(attributes))
    out.uint(attributes[0].number)
    for name, bits, _ in _BLOCK_COLUMNS:
        column = [getattr(block, name) for block in attributes]
        if bits:
            out.deltas(column)
        else:
            out.fixed(column)


def _read_blocks(reader: ColumnReader) -> list[PayloadAttributes]:
    count = reader.uint(limits.MAX_BLOCKS, "number of blocks")
    if not count:
        raise Malformed("body: no block")
    first = reader.uint(UINT64_MAX - count, "number of the first block")
    columns = [reader.deltas(count, bits) if bits else reader.fixed(count, size) for _, bits, size in _BLOCK_COLUMNS]
    names = [name for name, _, _ in _BLOCK_COLUMNS]
    return [
        PayloadAttributes(number=first + i, **dict(zip(names, row, strict=True)))
        for i, row in enumerate(zip(*columns, strict=True))
    ]


def _read_flashblocks(reader: ColumnReader, blocks: int) -> _FlashblockColumns:
    per_block = reader.uints(blocks, 32)
    count = sum(per_block)
    if count > limits.MAX_FLASHBLOCKS:
        raise Malformed(f"body: {count} flashblocks, more than {limits.MAX_FLASHBLOCKS}")
    first_parent = Hash32(reader.fixed(1, 32)[0] if count else bytes(32))
    transaction_counts = reader.uints(count, 32)
    if 0 in transaction_counts:
        raise Malformed("body: a flashblock without transactions")
    total = sum(transaction_counts)
    if total > limits.MAX_TRANSACTIONS:
        raise Malformed(f"body: {total} transactions, more than {limits.MAX_TRANSACTIONS}")
    return _FlashblockColumns(
        per_block,
        first_parent,
        transaction_counts,
        reader.deltas(count, 64),
        reader.deltas(count, 64),
        reader.fixed(count, 32),
        total,
    )


def _read_arrivals(reader: ColumnReader, count: int) -> list[ArrivalRecord]:
    sequences = reader.deltas(count, 64)
    ages = reader.uints(count, 64)
    (origins,) = reader.fixed(1, count) if count else (b"",)
    return list(map(ArrivalRecord, sequences, ages, origins))


def _assemble(
    attributes: Sequence[PayloadAttributes],
    columns: _FlashblockColumns,
    raws: Sequence[bytes],
    arrivals: Sequence[ArrivalRecord],
) -> tuple[DerivedBlock, ...]:
    """Blocks from their columns; what was not written is counted and computed here."""
    blocks = []
    at = taken = 0
    parent = columns.first_parent
    for block, count in zip(attributes, columns.per_block, strict=True):
        entries = []
        position = 0
        for index in range(count):
            size = columns.transaction_counts[at]
            own = tuple(raws[taken : taken + size])
            flashblock = Flashblock(
                epoch=block.epoch,
                term=block.term,
                reset=block.reset,
                block_number=block.number,
                index=index,
                first_position=position,
                transaction_count=size,
                parent=parent,
                order_root=merkle.root(order_leaves(position, [keccak256(raw) for raw in own])),
                outcomes_root=Hash32(columns.outcomes_roots[at]),
                ordering_policy=block.extra_data,
                timestamp_ms=columns.timestamps_ms[at],
                post_by=columns.post_bys[at],
            )
            entries.append(DerivedFlashblock(flashblock, own, tuple(arrivals[taken : taken + size])))
            parent = flashblock.struct_hash
            position += size
            taken += size
            at += 1
        blocks.append(DerivedBlock(block, tuple(entries)))
    return tuple(blocks)
