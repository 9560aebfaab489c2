"""Sections of any transactions: they come back, both encoders agree, and both readers refuse the same bytes."""

from collections.abc import Sequence
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from da import transaction_columns, transactions
from sequencer.core import rlp
from sequencer.core.errors import Malformed
from tests.unit.da.transactions import CUT, WHOLE, Installed, legacy, typed

ODD = [raw for raw in [*CUT.values(), *WHOLE.values()] if raw]


def uints(bits: int) -> st.SearchStrategy[int]:
    round_ones = st.builds(lambda m, e: min(m * 10**e, 2**bits - 1), st.integers(0, 999), st.integers(0, 40))
    return st.integers(0, 3) | round_ones | st.integers(0, 2**bits - 1)


words = st.one_of(
    uints(256).map(lambda value: value.to_bytes(32, "big")),
    st.sampled_from([b"\x21" * 20, b"\x70" * 20]).map(lambda address: address.rjust(32, b"\0")),
    st.binary(min_size=32, max_size=32),
)
datas = st.one_of(
    st.binary(max_size=80),
    st.builds(lambda head, body, tail: head + b"".join(body) + tail, st.sampled_from([b"", b"\xa9\x05\x9c\xbb"]),
              st.lists(words, max_size=11), st.sampled_from([b"", b"rest"])),
)  # fmt: skip
recipients = st.sampled_from([b"", b"\x70" * 20, b"\x21" * 20]) | st.binary(min_size=20, max_size=20)
payloads = st.recursive(st.binary(max_size=40), lambda inner: st.lists(inner, max_size=3), max_leaves=6)
lists = st.lists(payloads, max_size=3)
common = {"nonce": uints(64), "gas": uints(64), "to": recipients, "value": uints(256), "data": datas,
          "r": uints(256), "s": uints(255)}  # fmt: skip
transaction = st.one_of(
    st.sampled_from(ODD),
    st.binary(min_size=1, max_size=200),
    st.builds(legacy, price=uints(128), v=st.integers(25, 40) | uints(66), **common),
    st.builds(typed, st.sampled_from([1, 2, 4]), chain_id=uints(64), tip=uints(128), fee=uints(128),
              access_list=lists, authorizations=lists, parity=st.integers(0, 1), **common),
)  # fmt: skip


def reading(codec: ModuleType, section: bytes, count: int) -> Sequence[bytes] | None:
    """What ``codec`` reads, None for ``Malformed``; nothing else may happen."""
    try:
        raws: Sequence[bytes] = codec.decode(section, count)
    except Malformed:
        return None
    return raws


@given(st.lists(transaction, max_size=12))
def test_any_transactions_come_back_and_both_encoders_agree(raws: list[bytes]) -> None:
    section = transaction_columns.encode(raws)
    assert Installed.encode(raws) == section
    assert transactions.decode(section, len(raws)) == transaction_columns.decode(section, len(raws)) == raws


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, int]:
    """A section with a few bytes changed, cut, or put in, and a count that may lie."""
    raws = draw(st.lists(transaction, max_size=6))
    data = bytearray(transaction_columns.encode(raws))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0 if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case 1 if at < len(data):
                data[at] = draw(st.sampled_from([0, 1, 16, 17, 18, 0x7F, 0x80, 0xFF]))
            case 2:
                del data[at : at + draw(st.integers(1, 40))]
            case _:
                data[at:at] = draw(st.binary(max_size=12))
    return bytes(data), draw(st.sampled_from([len(raws), len(raws), len(raws) + 1, 0]))


@given(damaged() | st.tuples(st.binary(max_size=300), st.integers(0, 9)))
def test_both_readers_refuse_the_same_bytes(hostile: tuple[bytes, int]) -> None:
    section, count = hostile
    read = reading(transaction_columns, section, count)
    assert reading(transactions, section, count) == read
    if read is not None:
        assert transaction_columns.encode(read) == section


@given(st.binary(max_size=300) | lists.map(rlp.encode))
def test_splitting_a_list_agrees_with_decoding_it(data: bytes) -> None:
    try:
        items = rlp.split(data)
    except Malformed:
        with pytest.raises(Malformed):
            rlp.decode_list(data)
        return
    assert rlp.encode_list([rlp.encode_list([p]) if is_list else rlp.encode(p) for is_list, p in items]) == data
