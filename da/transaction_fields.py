"""A signed transaction cut into the fields that columns are made of, and put together again.

Cutting is about bytes, not about validity: whatever has the form below is cut, and its fields give back
exactly its bytes, because RLP has one encoding of each value. Lists are kept as the bytes of their payload,
never looked into. Everything else (blob transactions, signatures without a chain id or with a high s, bytes
that are no transaction) is not cut, and travels as it is.

::

    legacy     rlp([nonce, gasPrice, gas, to, value, data, v, r, s]),     v = 35 + 2 * chainId + yParity
    1, 2, 4    type || rlp([chainId, nonce, gasPrice, gas, to, value, data, accessList, yParity, r, s])
                 with tip and fee in place of gasPrice in types 2 and 4
                 with a list of authorizations after the access list in type 4

    64 bits: nonce, gas, chainId    128 bits: gasPrice, tip, fee    256 bits: value, r    255 bits: s
"""

from dataclasses import dataclass
from typing import Final

from sequencer.core import rlp
from sequencer.core.errors import Malformed

RAW: Final = 0
"""Shape of a transaction that is not cut."""
CREATION: Final = 0x10
"""Added to the shape where ``to`` is empty."""
SHAPES: Final = {kind + 1 + creation: kind for kind in (0, 1, 2, 4) for creation in (0, CREATION)}
"""The type of each shape of a transaction that is cut."""
_HIGH_S: Final = 1 << 255
_ITEMS: Final = {1: 11, 2: 12, 4: 13}


@dataclass(frozen=True, slots=True)
class Fields:
    """What a transaction says. ``fee`` is the fee cap of types 2 and 4, ``tip`` the gas price of the others;
    ``y_parity_and_s`` has the parity in its highest bit (EIP-2098)."""

    kind: int
    chain_id: int
    nonce: int
    tip: int
    fee: int
    gas: int
    to: bytes
    value: int
    data: bytes
    access_list: bytes
    authorizations: bytes
    r: bytes
    y_parity_and_s: bytes

    @property
    def shape(self) -> int:
        """Type and whether ``to`` is empty, as the column of shapes has it."""
        return self.kind + 1 + (0 if self.to else CREATION)


def cut(raw: bytes) -> Fields | None:
    """The fields of ``raw``; None if it is not of the form above."""
    try:
        if raw[:1] >= b"\xc0":
            return _cut_legacy(raw)
        if raw[:1] in (b"\1", b"\2", b"\4"):
            return _cut_typed(raw[0], raw[1:])
    except Malformed:
        pass
    return None


def join(fields: Fields) -> bytes:
    """The bytes of a transaction."""
    kind = fields.kind
    parity, s = fields.y_parity_and_s[0] >> 7, int.from_bytes(fields.y_parity_and_s, "big") & (_HIGH_S - 1)
    target = [_bytes(fields.to), _uint(fields.value), _bytes(fields.data)]
    signature = [_bytes(fields.r.lstrip(b"\0")), _uint(s)]
    if not kind:
        v = 35 + 2 * fields.chain_id + parity
        parts = [*map(_uint, (fields.nonce, fields.tip, fields.gas)), *target, _uint(v), *signature]
        return rlp.encode_list(parts)
    prices = (fields.tip,) if kind == 1 else (fields.tip, fields.fee)
    lists = [rlp.encode_list([fields.access_list])]
    if kind == 4:
        lists.append(rlp.encode_list([fields.authorizations]))
    head = map(_uint, (fields.chain_id, fields.nonce, *prices, fields.gas))
    return bytes((kind,)) + rlp.encode_list([*head, *target, *lists, _uint(parity), *signature])


def _cut_legacy(raw: bytes) -> Fields | None:
    items = _strings(rlp.split(raw), 9)
    v = _integer(items[6], 128)
    if v < 35 or (v - 35) >> 65:
        return None
    chain_id, parity = divmod(v - 35, 2)
    price = _integer(items[1], 128)
    nonce, gas = _integer(items[0], 64), _integer(items[2], 64)
    return _fields(0, (chain_id, nonce, price, 0, gas), items[3:6], (b"", b""), parity, items[7:])


def _cut_typed(kind: int, encoded: bytes) -> Fields | None:
    items = rlp.split(encoded)
    if len(items) != _ITEMS[kind]:
        return None
    lists_at = 7 if kind == 1 else 8
    lists_stop = lists_at + (2 if kind == 4 else 1)
    if not all(is_list for is_list, _ in items[lists_at:lists_stop]):
        return None
    strings = _strings(items[:lists_at] + items[lists_stop:], len(items) - (lists_stop - lists_at))
    chain_id, nonce, tip = _integer(strings[0], 64), _integer(strings[1], 64), _integer(strings[2], 128)
    fee = _integer(strings[3], 128) if kind != 1 else 0
    gas = _integer(strings[lists_at - 4], 64)
    parity = _integer(strings[lists_at], 1)
    lists = (items[lists_at][1], items[lists_at + 1][1] if kind == 4 else b"")
    target = strings[lists_at - 3 : lists_at]
    return _fields(kind, (chain_id, nonce, tip, fee, gas), target, lists, parity, strings[lists_at + 1 :])


def _fields(
    kind: int,
    integers: tuple[int, int, int, int, int],
    target: list[bytes],
    lists: tuple[bytes, bytes],
    parity: int,
    signature: list[bytes],
) -> Fields | None:
    to, value, data = target
    s = _integer(signature[1], 256)
    if len(to) not in (0, 20) or s >= _HIGH_S:
        return None
    r = _integer(signature[0], 256).to_bytes(32, "big")
    return Fields(kind, *integers, to, _integer(value, 256), data, *lists, r, (parity << 255 | s).to_bytes(32, "big"))


def _strings(items: list[tuple[bool, bytes]], count: int) -> list[bytes]:
    if len(items) != count or any(is_list for is_list, _ in items):
        raise Malformed("transaction: not the items of its type")
    return [payload for _, payload in items]


def _integer(data: bytes, bits: int) -> int:
    return rlp.as_uint(data, bits)


def _uint(value: int) -> bytes:
    return rlp.encode_bytes(rlp.uint(value))


_bytes = rlp.encode_bytes
