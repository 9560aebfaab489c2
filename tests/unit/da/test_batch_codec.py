"""The batch and its body: round trips, one encoding for everything, and refusals by table."""

from dataclasses import replace

import pytest

from da import body, codec, compression, limits
from da.batcher import BatchTip, close
from da.columns import ColumnReader, ColumnWriter
from sequencer.core.block import PayloadAttributes
from sequencer.core.entries import ArrivalRecord
from sequencer.core.errors import Fatal, Malformed
from sequencer.core.types import UINT64_MAX, UINT256_MAX, ZERO_HASH, Address, Hash32
from tests.unit.da.chains import GENESIS, Shape, make_batches, make_blocks


def test_a_body_reads_back_and_is_the_same_bytes_every_time() -> None:
    blocks = make_blocks(12, seed=3)
    encoded = body.encode(blocks)
    derived = body.decode(encoded)
    assert derived == tuple(block.derived() for block in blocks)
    assert body.encode(derived) == encoded == body.encode(make_blocks(12, seed=3))


def test_an_empty_block_has_a_body() -> None:
    blocks = make_blocks(3, shape=Shape(flashblocks=0))
    (first, *_) = derived = body.decode(body.encode(blocks))
    assert [block.attributes.number for block in derived] == [1, 2, 3]
    assert first.transactions == ()


def test_every_field_of_the_attributes_survives_at_its_bounds() -> None:
    largest = PayloadAttributes(
        number=2**64 - 3,
        parent_hash=Hash32(b"\xff" * 32),
        timestamp=UINT64_MAX,
        gas_limit=UINT64_MAX,
        base_fee_per_gas=UINT256_MAX,
        coinbase=Address(b"\xff" * 20),
        prev_randao=Hash32(b"\xfe" * 32),
        extra_data=Hash32(b"\xfd" * 32),
        parent_beacon_block_root=Hash32(b"\xfc" * 32),
        epoch=UINT64_MAX,
        term=UINT64_MAX,
        reset=2**32 - 1,
        l1_origin_number=UINT64_MAX,
        l1_origin_time=UINT64_MAX,
        forced_cursor=UINT64_MAX,
        forced_deadline=UINT64_MAX,
    )
    (template,) = make_blocks(1, shape=Shape(flashblocks=0))
    smallest = replace(
        template.attributes, number=largest.number + 1, timestamp=0, gas_limit=0, base_fee_per_gas=0, term=0
    )
    blocks = [replace(template, attributes=largest), replace(template, attributes=smallest)]
    assert [block.attributes for block in body.decode(body.encode(blocks))] == [largest, smallest]


def test_a_batch_reads_back() -> None:
    (batch,) = make_batches(1)
    sealed = codec.decode(batch.encoded)
    assert (sealed.header, sealed.signatures, sealed.open()) == (batch.header, batch.signatures, batch.body)
    assert len(codec.encode_header(batch.header)) == codec.HEADER_BYTES == 208


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda e: e[:200], "too short"),
        (lambda e: b"\x02" + e[1:], "version"),
        (lambda e: e[:209] + b"\xff" + e[210:], "signatures"),
        (lambda e: e[:209] + bytes((limits.MAX_SIGNATURES + 1,)) + bytes(65 * 129), "signatures"),
    ],
)
def test_a_malformed_batch_is_refused(change, word) -> None:
    (batch,) = make_batches(1)
    with pytest.raises(Malformed, match=word):
        codec.decode(change(batch.encoded))


def test_a_body_that_data_hash_does_not_name_is_refused() -> None:
    one, two = make_batches(2)
    forged = codec.encode(one.header, one.signatures, compression.compress(two.body))
    with pytest.raises(Malformed, match="dataHash"):
        codec.decode(forged).open()


@pytest.mark.parametrize("trim", [1, 2, 50, 200])
def test_a_body_cut_short_or_too_long_is_refused(trim: int) -> None:
    encoded = body.encode(make_blocks(2, seed=1))
    with pytest.raises(Malformed):
        body.decode(encoded[:-trim])
    with pytest.raises(Malformed):
        body.decode(encoded + bytes(trim))


def _body_start(blocks: int, first: int) -> ColumnWriter:
    out = ColumnWriter()
    out.fixed((b"\x01",))
    out.uints((blocks, first))
    return out


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\x02",
        b"\x01",
        _body_start(0, 1).finish(),
        _body_start(limits.MAX_BLOCKS, 1).finish(),
        _body_start(limits.MAX_BLOCKS + 1, 1).finish(),
        _body_start(2**63, 1).finish(),
        _body_start(1, UINT64_MAX).finish(),
        bytes(limits.MAX_BODY_BYTES + 1),
    ],
    ids=["empty", "version", "no counts", "no block", "counts lie", "too many", "far too many", "number", "size"],
)
def test_hostile_counts_are_refused_before_anything_is_allocated(hostile: bytes) -> None:
    with pytest.raises(Malformed):
        body.decode(hostile)


def test_a_vrf_column_is_refused_until_there_is_one() -> None:
    encoded = body.encode(make_blocks(1))
    assert encoded[-1] == 0
    with pytest.raises(Malformed, match="bits"):
        body.decode(encoded[:-1] + b"\x01")


@pytest.mark.parametrize("encoded", [b"\x80\x00", b"\xff\x00", b"\x80", b"\xff" * 11, b"\x80\x80\x80\x00"])
def test_an_integer_has_one_encoding(encoded: bytes) -> None:
    with pytest.raises(Malformed):
        ColumnReader(encoded).uints(1, 64)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**14 - 1, 2**14, UINT64_MAX])
def test_integers_read_back_and_respect_their_bits(value: int) -> None:
    out = ColumnWriter()
    out.uint(value)
    assert ColumnReader(out.finish()).uints(1, 64) == [value]
    if value:
        with pytest.raises(Malformed):
            ColumnReader(out.finish()).uints(1, value.bit_length() - 1)


def test_differences_must_stay_in_range() -> None:
    out = ColumnWriter()
    out.deltas([5, 3, -1])
    with pytest.raises(Malformed, match="range"):
        ColumnReader(out.finish()).deltas(3, 64)


BREAKS = {
    "index": lambda f: replace(f, index=f.index + 1),
    "position": lambda f: replace(f, first_position=f.first_position + 1),
    "order root": lambda f: replace(f, order_root=ZERO_HASH),
    "term": lambda f: replace(f, term=f.term + 1),
    "policy": lambda f: replace(f, ordering_policy=ZERO_HASH),
    "number": lambda f: replace(f, block_number=f.block_number + 1),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_what_derivation_could_not_rebuild_is_never_closed(rule: str) -> None:
    blocks = make_blocks(2, shape=Shape())
    entry = blocks[1].flashblocks[0]
    broken = replace(entry, flashblock=BREAKS[rule](entry.flashblock))
    blocks[1] = replace(blocks[1], flashblocks=(broken, *blocks[1].flashblocks[1:]))
    with pytest.raises(Fatal, match="rebuilt"):
        close(BatchTip.at_genesis(GENESIS.hash), blocks, 0, 1)


def test_an_old_term_never_closes_blocks_of_a_later_one() -> None:
    with pytest.raises(Fatal, match="later"):
        close(BatchTip.at_genesis(GENESIS.hash), make_blocks(1, term=2), 0, 1)


def test_lists_that_differ_in_length_are_never_closed() -> None:
    blocks = make_blocks(1, shape=Shape())
    entry = blocks[0].flashblocks[0]
    longer = replace(entry, arrivals=(*entry.arrivals, ArrivalRecord(9, 9, 1)))
    blocks[0] = replace(blocks[0], flashblocks=(longer, *blocks[0].flashblocks[1:]))
    with pytest.raises(Fatal):
        close(BatchTip.at_genesis(GENESIS.hash), blocks, 0, 1)
