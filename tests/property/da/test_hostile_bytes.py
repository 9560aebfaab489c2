"""Decoders under any bytes: ``Malformed`` or a value, never anything else; and what encodes comes back."""

import contextlib
import random

from hypothesis import given
from hypothesis import strategies as st

from da import blob, body, codec, compression, frame, submission
from da.batcher import BatchTip
from da.columns import ColumnReader, ColumnWriter
from da.derive import AcceptedBatch
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.ports import BlobRef
from sequencer.core.types import Hash32
from tests.unit.da.chains import GENESIS, derivation, make_batch, make_batches, make_blocks

REF = BlobRef("memory", 1, b"")
BATCHES = make_batches(3, seed=11)
BODIES = [batch.body for batch in BATCHES]
ENCODED = [batch.encoded for batch in BATCHES]


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """One of ``originals`` with a few bytes changed, cut, or put in."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 2)):
            case 0 if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case 1:
                del data[at : at + draw(st.integers(1, 40))]
            case _:
                data[at:at] = draw(st.binary(max_size=12))
    return bytes(data)


@given(st.binary(max_size=600) | damaged(BODIES))
def test_a_body_is_malformed_or_the_one_encoding_of_its_blocks(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert body.encode(body.decode(data)) == data


@given(st.binary(max_size=600) | damaged(ENCODED))
def test_a_batch_is_malformed_or_reads_back(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        sealed = codec.decode(data)
        assert codec.encode(sealed.header, sealed.signatures, sealed.compressed) == data
        sealed.open()


@given(st.binary(max_size=300) | damaged([compression.compress(b) for b in BODIES]))
def test_decompression_keeps_to_its_bound(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert len(compression.decompress(data, 5000)) <= 5000


@given(st.binary(max_size=400))
def test_an_outbox_row_is_malformed_or_reads_back(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert submission.encode(submission.decode(b"\x01" + data)) == b"\x01" + data


@given(st.lists(st.binary(max_size=300) | damaged([blob.pack(keccak256(e), e, 1 << 20)[0] for e in ENCODED])))
def test_derivation_survives_any_blobs_and_nothing_unsigned_takes_effect(blobs: list[bytes]) -> None:
    target = derivation()
    known = {batch.header.struct_hash for batch in BATCHES}
    for data in blobs:
        for event in target.feed(REF, data):
            assert not isinstance(event, AcceptedBatch) or event.header.struct_hash in known


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_any_chain_reads_back(count: int, seed: int) -> None:
    blocks = make_blocks(count, seed)
    batch = make_batch(BatchTip.at_genesis(GENESIS.hash), blocks)
    assert body.decode(codec.decode(batch.encoded).open()) == tuple(block.derived() for block in blocks)


@given(st.randoms(use_true_random=False), st.integers(50, 2000))
def test_a_chain_comes_back_from_shuffled_doubled_blobs(rng: random.Random, size: int) -> None:
    blobs = [b for batch in BATCHES for b in blob.pack(batch.header.struct_hash, batch.encoded, size)]
    blobs += rng.sample(blobs, len(blobs) // 2)
    rng.shuffle(blobs)
    target = derivation()
    events = [event for data in blobs for event in target.feed(REF, data)]
    assert [event.header for event in events if isinstance(event, AcceptedBatch)] == [b.header for b in BATCHES]


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=5000), st.integers(48, 600))
def test_blobs_carry_any_bytes(header_hash: bytes, encoded: bytes, size: int) -> None:
    frames = [f for b in blob.pack(Hash32(header_hash), encoded, size) for f in frame.parse(b).frames]
    assert b"".join(f.payload for f in frames) == encoded
    assert {f.batch_id for f in frames} == {header_hash[:16]}


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**256 - 1)), st.lists(st.binary(min_size=1)))
def test_columns_read_back(small: list[int], large: list[int], strings: list[bytes]) -> None:
    out = ColumnWriter()
    out.uints(small)
    out.deltas(small)
    out.deltas(large)
    out.strings(strings)
    reader = ColumnReader(out.finish())
    assert reader.uints(len(small), 64) == small
    assert reader.deltas(len(small), 64) == small
    assert reader.deltas(len(large), 256) == large
    assert reader.strings(len(strings), 1000) == strings
    reader.finish()
