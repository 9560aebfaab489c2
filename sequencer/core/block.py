"""Block headers and blocks, and the inputs from which a header is made (protocol, section 4)."""

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final

from sequencer.core import rlp
from sequencer.core.errors import Malformed
from sequencer.core.keccak import EMPTY_LIST_HASH, EMPTY_TRIE_ROOT, keccak256
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import ZERO_HASH, Address, Hash32

EMPTY_REQUESTS_HASH: Final = Hash32(bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
"""sha256 of nothing: a rollup block carries no EIP-7685 requests."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by number and hash."""

    number: int
    hash: Hash32


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadAttributes:
    """Every input of a block that is not a transaction, fixed before transaction 0 is executed.

    Times are unix seconds. ``l1_origin_*`` name the settlement-layer block that the rollup block builds
    on (zero without one); ``forced_cursor`` is the first forced transaction not yet consumed and
    ``forced_deadline`` when it falls due (0 when there is none).
    """

    number: int
    parent_hash: Hash32
    timestamp: int
    gas_limit: int
    base_fee_per_gas: int
    coinbase: Address
    prev_randao: Hash32
    extra_data: Hash32
    parent_beacon_block_root: Hash32 = ZERO_HASH
    epoch: int = 0
    term: int = 0
    reset: int = 0
    l1_origin_number: int = 0
    l1_origin_time: int = 0
    forced_cursor: int = 0
    forced_deadline: int = 0


@dataclass(frozen=True, kw_only=True)
class Header:
    """A block header in the order of its RLP; a field that its fork lacks is None (EIP-1559 ... EIP-7685)."""

    parent_hash: Hash32
    ommers_hash: Hash32 = EMPTY_LIST_HASH
    coinbase: Address
    state_root: Hash32
    transactions_root: Hash32 = EMPTY_TRIE_ROOT
    receipts_root: Hash32 = EMPTY_TRIE_ROOT
    logs_bloom: bytes = bytes(256)
    difficulty: int = 0
    number: int
    gas_limit: int
    gas_used: int = 0
    timestamp: int
    extra_data: bytes = b""
    prev_randao: Hash32
    nonce: bytes = bytes(8)
    base_fee_per_gas: int
    withdrawals_root: Hash32 | None = EMPTY_TRIE_ROOT
    blob_gas_used: int | None = 0
    excess_blob_gas: int | None = 0
    parent_beacon_block_root: Hash32 | None = ZERO_HASH
    requests_hash: Hash32 | None = field(default=EMPTY_REQUESTS_HASH)

    @cached_property
    def encoded(self) -> bytes:
        """The RLP of the header."""
        items: list[bytes] = []
        for name in _HEADER_FIELDS:
            value = getattr(self, name)
            if value is None:
                break
            items.append(rlp.encode_bytes(rlp.uint(value) if isinstance(value, int) else value))
        return rlp.encode_list(items)

    @cached_property
    def hash(self) -> Hash32:
        """The block hash."""
        return keccak256(self.encoded)

    @property
    def ref(self) -> BlockRef:
        """Number and hash."""
        return BlockRef(self.number, self.hash)

    def attributes(self, epoch: int = 0, term: int = 0, reset: int = 0) -> PayloadAttributes:
        """What the block began with, as far as a header tells: all that an engine reads of it."""
        return PayloadAttributes(
            number=self.number,
            parent_hash=self.parent_hash,
            timestamp=self.timestamp,
            gas_limit=self.gas_limit,
            base_fee_per_gas=self.base_fee_per_gas,
            coinbase=self.coinbase,
            prev_randao=self.prev_randao,
            extra_data=Hash32(self.extra_data),
            parent_beacon_block_root=self.parent_beacon_block_root or ZERO_HASH,
            epoch=epoch,
            term=term,
            reset=reset,
        )


_HEADER_FIELDS = tuple(f.name for f in fields(Header))
_INTEGERS = frozenset(
    {
        "difficulty",
        "number",
        "gas_limit",
        "gas_used",
        "timestamp",
        "base_fee_per_gas",
        "blob_gas_used",
        "excess_blob_gas",
    }
)
_SIZES = {"coinbase": 20, "logs_bloom": 256, "nonce": 8}


def decode_header(encoded: bytes) -> Header:
    """The header from its RLP. Raises ``Malformed``."""
    items = rlp.decode_list(encoded)
    if not 16 <= len(items) <= len(_HEADER_FIELDS):
        raise Malformed(f"a header has 16 to {len(_HEADER_FIELDS)} fields, not {len(items)}")
    values: dict[str, Any] = dict.fromkeys(_HEADER_FIELDS[16:])
    for name, item in zip(_HEADER_FIELDS, items, strict=False):
        if name in _INTEGERS:
            values[name] = rlp.as_uint(item, 256)
        elif name == "extra_data":
            values[name] = rlp.as_bytes(item)
        else:
            values[name] = rlp.as_fixed(item, _SIZES.get(name, 32))
    return Header(**values)


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block: header, transactions in order, and what each did."""

    header: Header
    transactions: tuple[Transaction, ...]
    outcomes: tuple[Outcome, ...]
