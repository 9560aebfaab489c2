"""The entries of the sequence log and their bytes (protocol, section 2).

::

    entry = kind(1) || rlp(fields)

    0x01 BlockOpen     [number, parentHash, timestamp, gasLimit, baseFeePerGas, coinbase, prevRandao, extraData,
                        parentBeaconBlockRoot, epoch, term, reset, l1OriginNumber, l1OriginTime, forcedCursor,
                        forcedDeadline]
    0x02 Flashblock    [[the 13 fields of the struct], [rawTransaction], [outcomeHash], [[sequence, ageMs, origin]]]
    0x03 BlockSeal     [number, hash, stateRoot]
    0x04 BatchClosed   [sequence, firstBlock, lastBlock, dataHash]
    0x05 Takeover      [epoch, term]

``ageMs`` is how long before the flashblock's ``timestampMs`` the transaction came in. Every member of a
set keeps these same bytes, whichever engine decided their order.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from sequencer.core import rlp
from sequencer.core.block import PayloadAttributes
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32


class ArrivalRecord(NamedTuple):
    """An arrival as the log and the DA layer keep it. A tuple, because every transaction gets one."""

    sequence: int
    age_ms: int
    origin: int


@dataclass(frozen=True, slots=True)
class BlockOpen:
    """A block begins: every input of its header."""

    attributes: PayloadAttributes


@dataclass(frozen=True, slots=True)
class FlashblockEntry:
    """Transactions decided upon: their order, bytes, outcomes and arrivals."""

    flashblock: Flashblock
    transactions: tuple[bytes, ...]
    outcome_hashes: tuple[Hash32, ...]
    arrivals: tuple[ArrivalRecord, ...]


@dataclass(frozen=True, slots=True)
class BlockSeal:
    """A block is complete."""

    number: int
    hash: Hash32
    state_root: Hash32


@dataclass(frozen=True, slots=True)
class BatchClosed:
    """A run of blocks is cut for the DA layer, once and for all."""

    sequence: int
    first_block: int
    last_block: int
    data_hash: Hash32


@dataclass(frozen=True, slots=True)
class Takeover:
    """A new term begins: the first entry of every leader."""

    epoch: int
    term: int


Entry: TypeAlias = BlockOpen | FlashblockEntry | BlockSeal | BatchClosed | Takeover

_KIND: dict[type[Entry], int] = {BlockOpen: 1, FlashblockEntry: 2, BlockSeal: 3, BatchClosed: 4, Takeover: 5}


def encode(entry: Entry) -> bytes:
    """The one encoding of ``entry``."""
    if isinstance(entry, BlockOpen):
        body = rlp.encode(_struct_items(entry.attributes))
    elif isinstance(entry, FlashblockEntry):
        body = _encode_flashblock(entry)
    else:
        body = rlp.encode(_struct_items(entry))
    return bytes((_KIND[type(entry)],)) + body


def decode(encoded: bytes) -> Entry:
    """The entry that ``encoded`` holds. Raises ``Malformed``."""
    items = rlp.decode_list(encoded[1:])
    match encoded[0]:
        case 1:
            return BlockOpen(PayloadAttributes(**_parse(PayloadAttributes, items)))
        case 2:
            return _decode_flashblock(items)
        case 3:
            return BlockSeal(**_parse(BlockSeal, items))
        case 4:
            return BatchClosed(**_parse(BatchClosed, items))
        case 5:
            return Takeover(**_parse(Takeover, items))
    raise Malformed(f"unknown log entry kind {encoded[0]}")


def _encode_flashblock(entry: FlashblockEntry) -> bytes:
    return rlp.encode_list(
        [
            flashblock_fields(entry.flashblock),
            rlp.encode_list([rlp.encode_bytes(raw) for raw in entry.transactions]),
            rlp.encode_list([b"\xa0" + outcome for outcome in entry.outcome_hashes]),
            rlp.encode([[rlp.uint(value) for value in arrival] for arrival in entry.arrivals]),
        ]
    )


def flashblock_fields(flashblock: Flashblock) -> bytes:
    """The struct as the first part of its entry."""
    return rlp.encode(_struct_items(flashblock))


def _decode_flashblock(items: list[rlp.Decoded]) -> FlashblockEntry:
    if len(items) != 4:
        raise Malformed("a flashblock entry has 4 parts")
    struct, transactions, outcomes, arrivals = map(rlp.as_list, items)
    entry = FlashblockEntry(
        Flashblock(**_parse(Flashblock, struct)),
        tuple(rlp.as_bytes(raw) for raw in transactions),
        tuple(Hash32(rlp.as_fixed(outcome, 32)) for outcome in outcomes),
        tuple(_decode_arrival(rlp.as_list(arrival, 3)) for arrival in arrivals),
    )
    counts = {len(entry.transactions), len(entry.outcome_hashes), len(entry.arrivals)}
    if counts != {entry.flashblock.transaction_count}:
        raise Malformed("a flashblock entry's lists differ from its transaction count")
    return entry


def _decode_arrival(items: list[rlp.Decoded]) -> ArrivalRecord:
    sequence, age_ms, origin = items
    return ArrivalRecord(rlp.as_uint(sequence, 64), rlp.as_uint(age_ms, 64), rlp.as_uint(origin, 8))


_STRUCTS = (PayloadAttributes, Flashblock, BlockSeal, BatchClosed, Takeover)
_VALUES: dict[type, Callable[[object], tuple[Any, ...]]] = {
    struct: attrgetter(*(spec.name for spec in fields(struct))) for struct in _STRUCTS
}
"""The fields of each struct as a tuple; ``astuple`` would copy deeply, at twice the cost of the rest."""


def _struct_items(struct: object) -> list[bytes]:
    return [rlp.uint(value) if isinstance(value, int) else value for value in _VALUES[type(struct)](struct)]


_INT_BITS = {"base_fee_per_gas": 256, "index": 32, "reset": 32, "first_position": 32}
_BYTES_SIZE = {"coinbase": 20}


def _parse(struct: type, items: list[rlp.Decoded]) -> dict[str, Any]:
    """Field values by name: integers of 64 bits and byte strings of 32 unless the tables say otherwise."""
    specs = fields(struct)
    if len(items) != len(specs):
        raise Malformed(f"{struct.__name__} has {len(specs)} fields, not {len(items)}")
    values: dict[str, Any] = {}
    for spec, item in zip(specs, items, strict=True):
        if spec.type is int or spec.type == "int":
            values[spec.name] = rlp.as_uint(item, _INT_BITS.get(spec.name, 64))
        else:
            values[spec.name] = rlp.as_fixed(item, _BYTES_SIZE.get(spec.name, 32))
    return values
