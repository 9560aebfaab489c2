"""The flashblock codec in Rust gives the very bytes that the definition in Python gives."""

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core import merkle
from sequencer.core.entries import ArrivalRecord, Entry, FlashblockEntry, Takeover
from sequencer.core.flashblock import Flashblock
from sequencer.core.flashblock_codec import PythonFlashblockCodec
from sequencer.core.ports import FlashblockCodec
from sequencer.core.types import Hash32

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

PYTHON: FlashblockCodec = PythonFlashblockCodec()
NATIVE: FlashblockCodec = importlib.import_module("execution.evm.native.flashblock_codec").NativeFlashblockCodec()

u64 = st.integers(0, 2**64 - 1)
u32 = st.integers(0, 2**32 - 1)
hash32 = st.binary(min_size=32, max_size=32).map(Hash32)
positions = st.integers(0, 2**20)


@given(positions, st.lists(st.tuples(hash32, hash32), max_size=70))
def test_roots(first: int, hashes: list[tuple[Hash32, Hash32]]) -> None:
    transactions, outcomes = [pair[0] for pair in hashes], [pair[1] for pair in hashes]
    assert NATIVE.roots(first, transactions, outcomes) == PYTHON.roots(first, transactions, outcomes)


@given(positions, st.lists(hash32, max_size=70))
def test_trees(first: int, hashes: list[Hash32]) -> None:
    tree = NATIVE.tree(first, hashes)
    assert tree == PYTHON.tree(first, hashes)
    order_root, _ = NATIVE.roots(first, hashes, hashes)
    if hashes:
        assert tree[-1] == [order_root]
        last = len(hashes) - 1
        assert merkle.root_from_branch(tree[0][last], last, len(hashes), merkle.branch(tree, last)) == order_root


structs = st.builds(
    Flashblock,
    epoch=u64,
    term=u64,
    reset=u32,
    block_number=u64,
    index=u32,
    first_position=u32,
    transaction_count=u32,
    parent=hash32,
    order_root=hash32,
    outcomes_root=hash32,
    ordering_policy=hash32,
    timestamp_ms=u64,
    post_by=u64,
)
arrivals = st.builds(ArrivalRecord, u64, u64, st.integers(0, 255))
flashblocks = st.builds(
    FlashblockEntry,
    structs,
    st.lists(st.binary(max_size=300), max_size=20).map(tuple),
    st.lists(hash32, max_size=20).map(tuple),
    st.lists(arrivals, max_size=20).map(tuple),
)


@given(st.one_of(flashblocks, st.builds(Takeover, u64, u64)))
def test_entries(entry: Entry) -> None:
    assert NATIVE.encode(entry) == PYTHON.encode(entry)


def test_a_large_entry() -> None:
    struct = Flashblock(0, 1, 0, 2, 3, 4, 2_000, *[Hash32(bytes(32))] * 4, 5, 6)
    entry = FlashblockEntry(
        struct, (b"\x02" * 390,) * 2_000, (Hash32(b"\x03" * 32),) * 2_000, (ArrivalRecord(0, 2**40, 255),) * 2_000
    )
    assert NATIVE.encode(entry) == PYTHON.encode(entry)


@pytest.mark.parametrize("hashes", [[b"short"], [b"", b"x" * 33]])
def test_what_is_no_hash_is_refused(hashes: list[Hash32]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        NATIVE.tree(0, hashes)
