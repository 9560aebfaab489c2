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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from operator import attrgetter
from typing import Final, TypeAlias

from da import limits, transactions
from da.blocks import BatchBlock, DerivedBlock, DerivedFlashblock
from da.columns import ColumnReader, ColumnWriter
from da.transactions import Gathered
from sequencer.core.block import PayloadAttributes
from sequencer.core.entries import ArrivalRecord
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import Flashblock
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

_BeforeParent: TypeAlias = tuple[int, int, int, int, int, int, int]
_AfterParent: TypeAlias = tuple[Hash32, Hash32, Hash32, int, int]
_VALUES: Final = attrgetter(*(spec.name for spec in fields(Flashblock)))
"""The fields of a flashblock, which are seven, ``parent`` and five."""

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


def gather(blocks: Sequence[BatchBlock | DerivedBlock]) -> Gathered:
    """What grows with the transactions of ``blocks``: for who encodes them and reads them back."""
    return transactions.gather((entry.transactions, entry.arrivals) for block in blocks for entry in block.flashblocks)


def encode(blocks: Sequence[BatchBlock | DerivedBlock], gathered: Gathered | None = None) -> bytes:
    """The body of ``blocks``, which are consecutive and at least one; ``gathered`` from them, if it is there."""
    out = ColumnWriter()
    out.fixed((bytes((VERSION,)),))
    _write_blocks(out, [block.attributes for block in blocks])
    out.uints(len(block.flashblocks) for block in blocks)
    flashblocks = [entry.flashblock for block in blocks for entry in block.flashblocks]
    if flashblocks:
        out.fixed((flashblocks[0].parent,))
    out.uints(f.transaction_count for f in flashblocks)
    out.deltas(f.timestamp_ms for f in flashblocks)
    out.deltas(f.post_by for f in flashblocks)
    out.fixed(f.outcomes_root for f in flashblocks)
    (gathered or gather(blocks)).write(out)
    out.uint(0)
    return out.finish()


def decode(body: bytes) -> tuple[DerivedBlock, ...]:
    """The blocks of a body. Raises ``Malformed``, and nothing else, whatever the bytes."""
    reader = _reader(body)
    attributes = _read_blocks(reader)
    columns = _read_flashblocks(reader, len(attributes))
    raws = transactions.decode(reader.section(limits.MAX_BODY_BYTES), columns.transactions)
    arrivals = transactions.read_arrivals(reader, columns.transactions)
    reader.uint(0, "number of VRF proofs")
    reader.finish()
    return _assemble(attributes, columns, raws, arrivals)


def holds(body: bytes, blocks: Sequence[BatchBlock], gathered: Gathered | None = None) -> bool:
    """Whether ``decode`` gives exactly ``blocks``, found out at a tenth of its cost: nothing is made for each
    transaction. May raise ``Malformed`` where it does not."""
    gathered = gathered or gather(blocks)
    entries = [entry for block in blocks for entry in block.flashblocks]
    reader = _reader(body)
    attributes = _read_blocks(reader)
    columns = _read_flashblocks(reader, len(attributes))
    same = (
        attributes == [block.attributes for block in blocks]
        and columns.per_block == [len(block.flashblocks) for block in blocks]
        and all(len(e.transactions) == len(e.arrivals) == e.flashblock.transaction_count for e in entries)
        and columns.transaction_counts == [entry.flashblock.transaction_count for entry in entries]
        and gathered.holds(reader)
        and _gives(attributes, columns, gathered, [entry.flashblock for entry in entries])
    )
    if same:
        reader.uint(0, "number of VRF proofs")
        reader.finish()
    return same


def data_hash(body: bytes) -> Hash32:
    """What a batch's header commits to."""
    return transactions.body_hash(body)


def _reader(body: bytes) -> ColumnReader:
    if len(body) > limits.MAX_BODY_BYTES:
        raise Malformed(f"body: {len(body)} bytes, more than {limits.MAX_BODY_BYTES}")
    if body[:1] != bytes((VERSION,)):
        raise Malformed("body: unknown version")
    return ColumnReader(body, 1)


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


def _flashblocks(
    attributes: Sequence[PayloadAttributes], columns: _FlashblockColumns, gathered: Gathered
) -> list[Flashblock]:
    """Every flashblock; what was not written is counted and computed here."""
    flashblocks = []
    parent = columns.first_parent
    for before, after in _fields(attributes, columns, gathered):
        flashblocks.append(Flashblock(*before, parent, *after))
        parent = flashblocks[-1].struct_hash
    return flashblocks


def _gives(
    attributes: Sequence[PayloadAttributes],
    columns: _FlashblockColumns,
    gathered: Gathered,
    flashblocks: Sequence[Flashblock],
) -> bool:
    """Whether ``_flashblocks`` is exactly ``flashblocks``. Nothing is hashed again: what equals the given one has the
    hash that the given one remembers."""
    parent = columns.first_parent
    for (before, after), flashblock in zip(_fields(attributes, columns, gathered), flashblocks, strict=True):
        if (*before, parent, *after) != _VALUES(flashblock):
            return False
        parent = flashblock.struct_hash
    return True


def _fields(
    attributes: Sequence[PayloadAttributes], columns: _FlashblockColumns, gathered: Gathered
) -> Iterator[tuple[_BeforeParent, _AfterParent]]:
    """Of every flashblock."""
    places = _places(columns)
    order_roots = gathered.order_roots([place.first_position for place in places])
    for at, (place, order_root) in enumerate(zip(places, order_roots, strict=True)):
        block = attributes[place.block]
        yield (
            (block.epoch, block.term, block.reset, block.number, place.index, place.first_position, place.count),
            (
                order_root,
                Hash32(columns.outcomes_roots[at]),
                block.extra_data,
                columns.timestamps_ms[at],
                columns.post_bys[at],
            ),
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Of a flashblock: which block of the batch, and where in it."""

    block: int
    index: int
    first_position: int
    count: int


def _places(columns: _FlashblockColumns) -> list[_Place]:
    counts = iter(columns.transaction_counts)
    places = []
    for block, flashblocks in enumerate(columns.per_block):
        position = 0
        for index, count in enumerate(islice(counts, flashblocks)):
            places.append(_Place(block, index, position, count))
            position += count
    return places


def _assemble(
    attributes: Sequence[PayloadAttributes],
    columns: _FlashblockColumns,
    raws: Sequence[bytes],
    arrivals: Sequence[ArrivalRecord],
) -> tuple[DerivedBlock, ...]:
    """Blocks from their columns."""
    taken = 0
    contents = []
    for count in columns.transaction_counts:
        stop = taken + count
        contents.append((tuple(raws[taken:stop]), tuple(arrivals[taken:stop])))
        taken = stop
    flashblocks = _flashblocks(attributes, columns, transactions.gather(contents))
    entries = [DerivedFlashblock(one, *content) for one, content in zip(flashblocks, contents, strict=True)]
    following = iter(entries)
    return tuple(
        DerivedBlock(block, tuple(islice(following, count)))
        for block, count in zip(attributes, columns.per_block, strict=True)
    )
