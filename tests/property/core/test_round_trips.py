"""Everything that is written can be read back, and hostile bytes raise ``Malformed`` and nothing else."""

from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from sequencer.core import entries, rlp
from sequencer.core.block import Header, PayloadAttributes, decode_header
from sequencer.core.encoding import data, parse_data, parse_quantity, quantity
from sequencer.core.entries import ArrivalRecord, BatchClosed, BlockOpen, BlockSeal, FlashblockEntry, Takeover
from sequencer.core.errors import Malformed, Rejected
from sequencer.core.flashblock import Flashblock
from sequencer.core.receipt import Log, outcome
from sequencer.core.transaction import decode
from sequencer.core.types import ZERO_HASH
from tests.receipts import decode_receipt

hashes = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=20, max_size=20)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
items = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6), max_leaves=30)

attributes = st.builds(
    PayloadAttributes,
    number=u64,
    parent_hash=hashes,
    timestamp=u64,
    gas_limit=u64,
    base_fee_per_gas=st.integers(0, 2**256 - 1),
    coinbase=addresses,
    prev_randao=hashes,
    extra_data=hashes,
    parent_beacon_block_root=hashes,
    epoch=u64,
    term=u64,
    reset=u32,
    l1_origin_number=u64,
    l1_origin_time=u64,
    forced_cursor=u64,
    forced_deadline=u64,
)

IN_A_HEADER = {each.name for each in fields(PayloadAttributes)} & {each.name for each in fields(Header)}


@st.composite
def flashblock_entries(draw: st.DrawFn) -> FlashblockEntry:
    count = draw(st.integers(0, 4))
    struct = draw(
        st.builds(
            Flashblock,
            epoch=u64,
            term=u64,
            reset=u32,
            block_number=u64,
            index=u32,
            first_position=u32,
            transaction_count=st.just(count),
            parent=hashes,
            order_root=hashes,
            outcomes_root=hashes,
            ordering_policy=hashes,
            timestamp_ms=u64,
            post_by=u64,
        )
    )
    arrival = st.builds(ArrivalRecord, u64, u64, st.integers(0, 255))

    def several(part: st.SearchStrategy) -> tuple:
        return tuple(draw(st.lists(part, min_size=count, max_size=count)))

    return FlashblockEntry(struct, several(st.binary(max_size=200)), several(hashes), several(arrival))


log_entries = st.one_of(
    st.builds(BlockOpen, attributes),
    flashblock_entries(),
    st.builds(BlockSeal, u64, hashes, hashes),
    st.builds(BatchClosed, u64, u64, u64, hashes),
    st.builds(Takeover, u64, u64),
)


@given(log_entries)
def test_log_entries(entry) -> None:
    assert entries.decode(entries.encode(entry)) == entry


@given(attributes)
def test_a_header_tells_what_its_block_began_with(began: PayloadAttributes) -> None:
    header = Header(state_root=ZERO_HASH, **{name: getattr(began, name) for name in IN_A_HEADER})
    told = decode_header(header.encoded).attributes(began.epoch, began.term, began.reset)
    assert told == replace(began, l1_origin_number=0, l1_origin_time=0, forced_cursor=0, forced_deadline=0)


@given(items)
def test_rlp(item) -> None:
    assert rlp.decode(rlp.encode(item)) == item


@given(st.binary(max_size=200))
def test_rlp_reads_only_what_it_would_write(raw: bytes) -> None:
    try:
        item = rlp.decode(raw)
    except Malformed:
        return
    assert rlp.encode(item) == raw


@given(st.binary(min_size=1, max_size=300))
def test_hostile_bytes_are_malformed_and_nothing_else(raw: bytes) -> None:
    for parse in (entries.decode, decode_header, decode):
        try:
            parse(raw)
        except (Malformed, Rejected):
            continue


@given(
    st.integers(0, 4),
    st.booleans(),
    u32,
    st.lists(st.builds(Log, addresses, st.lists(hashes, max_size=4).map(tuple), st.binary(max_size=100)), max_size=3),
)
def test_receipts(kind: int, succeeded: bool, gas: int, logs: list[Log]) -> None:
    made = outcome(kind, succeeded, gas, gas, None, tuple(logs))
    assert decode_receipt(made.receipt) == (succeeded, gas, made.logs_bloom, tuple(logs))


@given(st.integers(0, 2**256 - 1), st.binary(max_size=64))
def test_hex(number: int, raw: bytes) -> None:
    assert parse_quantity(quantity(number)) == number
    assert parse_data(data(raw)) == raw


@given(u64, hashes, st.sampled_from([None, "requests_hash"]))
def test_headers(number: int, root: bytes, dropped: str | None) -> None:
    header = Header(
        parent_hash=root,
        coinbase=root[:20],
        state_root=root,
        number=number,
        gas_limit=number,
        timestamp=number,
        prev_randao=root,
        base_fee_per_gas=number,
        **({dropped: None} if dropped else {}),
    )
    assert decode_header(header.encoded) == header


@given(st.text(max_size=8))
def test_only_ascii_hex_is_hex(digits: str) -> None:
    for parse in (parse_quantity, parse_data):
        try:
            parse("0x" + digits)
        except Malformed:
            continue
        assert set(digits) <= set("0123456789abcdefABCDEF")
