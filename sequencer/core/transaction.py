"""Ethereum transactions of types 0 to 4: decoded from wire bytes, hashed, and recovered.

A value of these types exists only if the bytes were canonical. Whether a transaction may enter the pool
or a block is decided elsewhere; here it only has to be one.

::

    type 0   rlp([nonce, gasPrice, gas, to, value, data, v, r, s])                         EIP-155
    type 1   0x01 || rlp([chainId, nonce, gasPrice, gas, to, value, data, accessList, yParity, r, s])
    type 2   0x02 || rlp([chainId, nonce, tip, feeCap, gas, to, value, data, accessList, yParity, r, s])
    type 3   0x03 || rlp([... as type 2 ..., accessList, blobFeeCap, blobHashes, yParity, r, s])
    type 4   0x04 || rlp([... as type 2 ..., accessList, authorizations, yParity, r, s])   EIP-7702
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from sequencer.core import rlp, secp256k1
from sequencer.core.errors import Malformed, Reason, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class AccessListEntry:
    """An address and the 32-byte storage keys declared for it (EIP-2930)."""

    address: Address
    storage_keys: tuple[Hash32, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """A signed wish of an account to run another's code (EIP-7702); not recovered here."""

    chain_id: int
    address: Address
    nonce: int
    y_parity: int
    r: int
    s: int


class Transaction(Protocol):
    """A well-formed transaction whose sender is known. Amounts are in wei, gas in gas.

    A protocol, so that an engine may hand out objects of its own whose attributes are made when asked
    for. Legacy and type-1 transactions carry their gas price in both fee fields.
    """

    @property
    def raw(self) -> bytes: ...
    @property
    def hash(self) -> Hash32: ...
    @property
    def sender(self) -> Address: ...
    @property
    def type(self) -> int: ...
    @property
    def chain_id(self) -> int | None: ...
    @property
    def nonce(self) -> int: ...
    @property
    def max_priority_fee_per_gas(self) -> int: ...
    @property
    def max_fee_per_gas(self) -> int: ...
    @property
    def gas_limit(self) -> int: ...
    @property
    def to(self) -> Address | None: ...
    @property
    def value(self) -> int: ...
    @property
    def data(self) -> bytes: ...
    @property
    def access_list(self) -> tuple[AccessListEntry, ...]: ...
    @property
    def authorizations(self) -> tuple[Authorization, ...]: ...
    @property
    def blob_hashes(self) -> tuple[Hash32, ...]: ...
    @property
    def max_fee_per_blob_gas(self) -> int: ...
    @property
    def y_parity(self) -> int: ...
    @property
    def r(self) -> int: ...
    @property
    def s(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedTransaction:
    """A transaction as its bytes say it, before anyone paid for recovering the sender."""

    raw: bytes
    hash: Hash32
    signing_hash: Hash32
    type: int
    chain_id: int | None
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas_limit: int
    to: Address | None
    value: int
    data: bytes
    access_list: tuple[AccessListEntry, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    blob_hashes: tuple[Hash32, ...] = ()
    max_fee_per_blob_gas: int = 0
    y_parity: int
    r: int
    s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredTransaction(DecodedTransaction):
    """A decoded transaction and the sender that its signature proves."""

    sender: Address


def decode(raw: bytes) -> DecodedTransaction:
    """The transaction that ``raw`` encodes (EIP-2718), blob transactions without their sidecar.

    Raises ``Rejected`` with ``MALFORMED`` or ``TYPE_NOT_SUPPORTED``.
    """
    if not raw:
        raise Rejected(Reason.MALFORMED, "empty input")
    try:
        if raw[0] >= 0xC0:
            return _decode_legacy(raw)
        if raw[0] in _TYPED:
            return _decode_typed(raw)
    except Malformed as error:
        raise Rejected(Reason.MALFORMED, str(error)) from None
    raise Rejected(Reason.TYPE_NOT_SUPPORTED)


def recover(decoded: DecodedTransaction) -> RecoveredTransaction:
    """``decoded`` with its sender. Raises ``Rejected`` with ``INVALID_SENDER``."""
    try:
        sender = secp256k1.recover(decoded.signing_hash, decoded.r, decoded.s, decoded.y_parity)
    except Malformed as error:
        raise Rejected(Reason.INVALID_SENDER, str(error)) from None
    fields = {name: getattr(decoded, name) for name in DecodedTransaction.__slots__}
    return RecoveredTransaction(sender=sender, **fields)


def with_known_sender(raw: bytes, sender: Address) -> RecoveredTransaction:
    """A transaction from this node's own store, whose sender was recovered when it came in."""
    decoded = decode(raw)
    fields = {name: getattr(decoded, name) for name in DecodedTransaction.__slots__}
    return RecoveredTransaction(sender=sender, **fields)


def _decode_legacy(raw: bytes) -> DecodedTransaction:
    items = rlp.as_list(rlp.decode(raw), 9)
    v = rlp.as_uint(items[6], 256)
    if v in (27, 28):
        chain_id, y_parity, signed_tail = None, v - 27, []
    elif v >= 35:
        chain_id, y_parity = (v - 35) >> 1, (v - 35) & 1
        signed_tail = [rlp.encode_bytes(rlp.uint(chain_id)), b"\x80", b"\x80"]
    else:
        raise Malformed("invalid transaction v, r, s values")
    signed = [rlp.encode(item) for item in items[:6]] + signed_tail
    gas_price = rlp.as_uint(items[1])
    return DecodedTransaction(
        raw=raw,
        hash=keccak256(raw),
        signing_hash=keccak256(rlp.encode_list(signed)),
        type=0,
        chain_id=chain_id,
        nonce=rlp.as_uint(items[0], 64),
        max_priority_fee_per_gas=gas_price,
        max_fee_per_gas=gas_price,
        gas_limit=rlp.as_uint(items[2], 64),
        to=_to(items[3]),
        value=rlp.as_uint(items[4]),
        data=rlp.as_bytes(items[5]),
        y_parity=y_parity,
        r=rlp.as_uint(items[7]),
        s=rlp.as_uint(items[8]),
    )


_TYPED = {1: 11, 2: 12, 3: 14, 4: 13}
"""Items in the list of each typed transaction."""


def _decode_typed(raw: bytes) -> DecodedTransaction:
    kind = raw[0]
    items = rlp.as_list(rlp.decode(raw[1:]), _TYPED[kind])
    signing_hash = keccak256(raw[:1] + rlp.encode_list([rlp.encode(item) for item in items[:-3]]))
    rest = iter(items)

    def number(bits: int = 256) -> int:
        return rlp.as_uint(next(rest), bits)

    chain_id, nonce = number(), number(64)
    tip = number()
    fee_cap = tip if kind == 1 else number()
    gas_limit = number(64)
    to = _to(next(rest))
    if to is None and kind in (3, 4):
        raise Malformed("rlp: input string too short for common.Address")
    value, call_data = number(), rlp.as_bytes(next(rest))
    access_list = _tuple_of(next(rest), _access_list_entry)
    blob_fee_cap = number() if kind == 3 else 0
    blob_hashes = _tuple_of(next(rest), _hash) if kind == 3 else ()
    authorizations = _tuple_of(next(rest), _authorization) if kind == 4 else ()
    return DecodedTransaction(
        raw=raw,
        hash=keccak256(raw),
        signing_hash=signing_hash,
        type=kind,
        chain_id=chain_id,
        nonce=nonce,
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=fee_cap,
        gas_limit=gas_limit,
        to=to,
        value=value,
        data=call_data,
        access_list=access_list,
        authorizations=authorizations,
        blob_hashes=blob_hashes,
        max_fee_per_blob_gas=blob_fee_cap,
        y_parity=number(8),
        r=number(),
        s=number(),
    )


def _to(item: rlp.Decoded) -> Address | None:
    return Address(rlp.as_fixed(item, 20)) if item != b"" else None


def _hash(item: rlp.Decoded) -> Hash32:
    return Hash32(rlp.as_fixed(item, 32))


def _tuple_of(item: rlp.Decoded, parse: Callable[[rlp.Decoded], _T]) -> tuple[_T, ...]:
    return tuple(parse(part) for part in rlp.as_list(item))


def _access_list_entry(item: rlp.Decoded) -> AccessListEntry:
    address, keys = rlp.as_list(item, 2)
    return AccessListEntry(Address(rlp.as_fixed(address, 20)), _tuple_of(keys, _hash))


def _authorization(item: rlp.Decoded) -> Authorization:
    chain_id, address, nonce, y_parity, r, s = rlp.as_list(item, 6)
    return Authorization(
        rlp.as_uint(chain_id),
        Address(rlp.as_fixed(address, 20)),
        rlp.as_uint(nonce, 64),
        rlp.as_uint(y_parity, 8),
        rlp.as_uint(r),
        rlp.as_uint(s),
    )


class Arrival(NamedTuple):
    """When and how a transaction reached the node: what an audit of the order starts from. A tuple, as everything is
    that each transaction gets one of: made in a third of the time.

    ``sequence`` counts arrivals at this node without gaps; ``received_ms`` is unix milliseconds.
    """

    sequence: int
    received_ms: int
    origin: int


ORIGIN_RPC = 0
"""Handed in by a user over JSON-RPC."""


class PooledTransaction(NamedTuple):
    """A transaction in the pool, with its arrival."""

    transaction: Transaction
    arrival: Arrival
