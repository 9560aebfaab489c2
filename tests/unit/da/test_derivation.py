"""What takes effect and what is ignored, reason by reason."""

import random
from dataclasses import replace

import pytest

from da import blob, codec, compression, frame, limits
from da.batcher import BatchTip
from da.codec import ClosedBatch, SignedBatch
from da.derive import AcceptedBatch, Derivation, DerivationEvent, Ignored, IgnoredBlob
from sequencer.core import secp256k1
from sequencer.core.batch import BatchHeader
from sequencer.core.errors import Fatal
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.ports import BlobRef
from sequencer.core.types import ZERO_HASH
from tests.unit.da.chains import (
    DOMAIN,
    GENESIS,
    KEY,
    MEMBERS,
    STRANGER_KEY,
    Shape,
    derivation,
    make_batch,
    make_batches,
    make_blocks,
)


def blobs_of(batch: SignedBatch, size: int = 1 << 20) -> list[bytes]:
    return blob.pack(batch.header.struct_hash, batch.encoded, size)


def feed(target: Derivation, *blobs: bytes) -> list[DerivationEvent]:
    return [event for n, b in enumerate(blobs) for event in target.feed(BlobRef("memory", n + 1, b""), b)]


def accepted(events: list[DerivationEvent]) -> list[int]:
    return [event.header.sequence for event in events if isinstance(event, AcceptedBatch)]


def reasons(events: list[DerivationEvent]) -> list[Ignored]:
    return [event.reason for event in events if isinstance(event, IgnoredBlob)]


def signed(header: BatchHeader, body: bytes, *keys: bytes) -> SignedBatch:
    digest = DOMAIN.digest(header.struct_hash)
    return ClosedBatch(header, body).signed([secp256k1.sign(key, digest) for key in keys or (KEY,)])


def test_batches_in_order_give_the_blocks_back() -> None:
    target = derivation()
    events = feed(target, *(b for batch in make_batches(4, seed=5) for b in blobs_of(batch)))
    blocks = make_blocks(8, seed=5)
    assert accepted(events) == [1, 2, 3, 4]
    derived = [block for event in events if isinstance(event, AcceptedBatch) for block in event.blocks]
    assert derived == [block.derived() for block in blocks]
    assert target.tip.last_block == blocks[-1].ref
    assert target.waiting == ()


def test_shuffled_duplicated_blobs_among_garbage_give_the_same_chain() -> None:
    rng = random.Random(7)
    blobs = [b for batch in make_batches(6, seed=5) for b in blobs_of(batch, 400)] * 2
    blobs += [rng.randbytes(rng.randrange(300)) for _ in range(30)]
    rng.shuffle(blobs)
    target = derivation()
    assert accepted(feed(target, *blobs)) == [1, 2, 3, 4, 5, 6]
    assert target.waiting == ()


def test_a_missing_batch_shows_as_a_gap() -> None:
    one, _, three = make_batches(3)
    target = derivation()
    assert accepted(feed(target, *blobs_of(three), *blobs_of(one))) == [1]
    assert target.waiting == (3,)


def test_a_duplicate_is_named_also_when_compressed_otherwise() -> None:
    one, two = make_batches(2)
    target = derivation()
    other = codec.encode(one.header, one.signatures, compression.compress(one.body) + b"")
    assert reasons(feed(target, *blobs_of(one), *blobs_of(one), *blob.pack(one.header.struct_hash, other, 9000))) == [
        Ignored.DUPLICATE,
        Ignored.DUPLICATE,
    ]
    assert accepted(feed(target, *blobs_of(two))) == [2]


def test_the_first_of_two_forks_wins() -> None:
    one, *_ = make_batches(1, seed=1)
    rival, *_ = make_batches(1, seed=2)
    target = derivation()
    events = feed(target, *blobs_of(one), *blobs_of(rival))
    assert (accepted(events), reasons(events)) == ([1], [Ignored.FORKED])


def test_a_batch_that_does_not_extend_the_last_one_is_a_fork() -> None:
    one, *_ = make_batches(1, seed=1)
    _, foreign_two = make_batches(2, seed=2)
    events = feed(derivation(), *blobs_of(one), *blobs_of(foreign_two))
    assert (accepted(events), reasons(events)) == ([1], [Ignored.FORKED])


def test_a_new_leader_posts_the_blocks_of_the_term_before_in_several_batches() -> None:
    blocks = make_blocks(4, term=1)
    one = make_batch(BatchTip.at_genesis(GENESIS.hash), blocks[:2], term=2)
    two = make_batch(BatchTip.after(one.header), blocks[2:], term=2)
    target = derivation()
    assert accepted(feed(target, *blobs_of(one), *blobs_of(two))) == [1, 2]
    assert (target.tip.term, target.tip.block_term) == (2, 1)


def test_a_batch_of_an_earlier_term_than_the_one_before_it_breaks_the_rules() -> None:
    blocks = make_blocks(4, term=1)
    one = make_batch(BatchTip.at_genesis(GENESIS.hash), blocks[:2], term=2)
    two = make_batch(BatchTip.after(one.header), blocks[2:], term=1)
    assert reasons(feed(derivation(), *blobs_of(one), *blobs_of(two))) == [Ignored.RULES]


def test_without_enough_signatures_nothing_takes_effect() -> None:
    (batch,) = make_batches(1)
    for keys in ([], [STRANGER_KEY], [KEY, STRANGER_KEY]):
        digest = DOMAIN.digest(batch.header.struct_hash)
        unsigned = replace(batch, signatures=tuple(secp256k1.sign(key, digest) for key in keys))
        assert reasons(feed(derivation(), *blobs_of(unsigned))) == [Ignored.UNSIGNED]
    assert reasons(feed(derivation(), *blobs_of(replace(batch, signatures=(bytes(65),))))) == [Ignored.UNSIGNED]


def test_a_set_of_three_needs_two_different_signers() -> None:
    keys = [bytes(31) + bytes((n,)) for n in (1, 2, 3)]
    members = SequencerSet(0, tuple(SequencerInfo(secp256k1.address_of_private_key(key), bytes(20)) for key in keys))
    (batch,) = make_batches(1)
    cases = {1: [keys[0]], 0: [keys[0], keys[0]], 2: [keys[2], keys[0]], 3: keys}
    taken = {
        n: accepted(feed(derivation(members), *blobs_of(signed(batch.header, batch.body, *signers))))
        for n, signers in cases.items()
    }
    assert taken == {0: [], 1: [], 2: [1], 3: [1]}


def test_an_epoch_without_a_set_is_ignored() -> None:
    (batch,) = make_batches(1)
    future = signed(replace(batch.header, epoch=9), batch.body)
    assert reasons(feed(derivation(), *blobs_of(future))) == [Ignored.UNKNOWN_EPOCH]


def test_frames_that_name_another_batch_are_ignored() -> None:
    one, two = make_batches(2)
    forged = blob.pack(two.header.struct_hash, one.encoded, 1 << 20)
    target = derivation()
    assert reasons(feed(target, *forged)) == [Ignored.MISLABELLED]
    assert accepted(feed(target, *blobs_of(two), *blobs_of(one))) == [1, 2]


def test_our_frame_heads_with_other_payloads_before_us_hold_nothing_up() -> None:
    one, two = make_batches(2, shape=Shape(3, 5, 300))
    target = derivation()
    for batch in (one, two):
        true = blobs_of(batch, 500)
        forged = [
            frame.Frame(f.batch_id, f.number, f.is_last, random.Random(1).randbytes(len(f.payload))).encode()
            for b in true
            for f in frame.parse(b).frames
        ]
        events = feed(target, *forged, *true)
        assert accepted(events) == [batch.header.sequence]


@pytest.mark.parametrize(
    "forge",
    [
        lambda batch: codec.encode(batch.header, batch.signatures, compression.compress(b"\x01other")),
        lambda batch: codec.encode(batch.header, batch.signatures, b"not zstd"),
        lambda batch: codec.encode(
            batch.header, batch.signatures, compression.compress(bytes(limits.MAX_BODY_BYTES + 1))
        ),
    ],
    ids=["another body", "not compressed", "bomb"],
)
def test_a_signed_head_with_another_body_is_ignored_and_the_true_one_still_comes(forge) -> None:
    (batch,) = make_batches(1)
    target = derivation()
    assert reasons(feed(target, *blob.pack(batch.header.struct_hash, forge(batch), 1 << 20))) == [Ignored.BODY]
    assert accepted(feed(target, *blobs_of(batch))) == [1]


def test_a_signed_body_that_does_not_parse_is_ignored() -> None:
    (batch,) = make_batches(1)
    nonsense = b"\x01\x05nonsense"
    bad = signed(replace(batch.header, data_hash=keccak256(nonsense)), nonsense)
    assert reasons(feed(derivation(), *blobs_of(bad))) == [Ignored.BODY]


@pytest.mark.parametrize(
    "change",
    [
        {"flashblock_count": 99},
        {"flashblocks_root": ZERO_HASH},
        {"last_block": 3},
        {"first_block": 2},
        {"reset": 1},
        {"term": 0},
    ],
)
def test_a_signed_header_that_its_body_does_not_bear_out_is_ignored(change: dict[str, object]) -> None:
    (batch,) = make_batches(1, shape=Shape())
    bad = signed(replace(batch.header, **change), batch.body)
    assert reasons(feed(derivation(), *blobs_of(bad))) == [Ignored.RULES]


def test_blocks_that_do_not_continue_the_chain_are_ignored() -> None:
    tip = BatchTip.at_genesis(GENESIS.hash)
    good = make_blocks(2, shape=Shape())
    late = replace(good[0], attributes=replace(good[0].attributes, timestamp=2**40))
    orphan = replace(good[0], attributes=replace(good[0].attributes, parent_hash=ZERO_HASH))
    early = replace(good[0], attributes=replace(good[0].attributes, l1_origin_time=2**41))
    for blocks in ([late, good[1]], [orphan], [early]):
        assert reasons(feed(derivation(), *blobs_of(make_batch(tip, blocks)))) == [Ignored.RULES]


def test_derivation_goes_on_from_a_tip_it_had() -> None:
    one, two = make_batches(2)
    before = derivation()
    feed(before, *blobs_of(one))
    after = Derivation(DOMAIN, GENESIS, 0, lambda _: MEMBERS, tip=before.tip)
    assert accepted(feed(after, *blobs_of(two))) == [2]


def test_a_refused_batch_gives_its_place_to_the_next_claim() -> None:
    one, two = make_batches(2, seed=1)
    rival, rival_two = make_batches(2, seed=2)
    target = derivation()
    (first,) = feed(target, *blobs_of(one))
    assert isinstance(first, AcceptedBatch)
    assert reasons(target.refuse(first)) == [Ignored.REFUSED]
    assert target.tip.sequence == 0
    assert accepted(feed(target, *blobs_of(two), *blobs_of(rival), *blobs_of(rival_two))) == [1, 2]


def test_rivals_that_waited_together_get_their_turn_when_the_first_is_refused() -> None:
    one, two = make_batches(2, seed=1)
    rival = signed(replace(two.header, state_root=ZERO_HASH), two.body)
    target = derivation()
    events = feed(target, *blobs_of(two), *blobs_of(rival), *blobs_of(one))
    assert accepted(events) == [1, 2]
    assert isinstance(events[-1], AcceptedBatch)
    assert events[-1].header == two.header
    again = target.refuse(events[-1])
    assert (reasons(again), accepted(again)) == ([Ignored.REFUSED], [2])
    assert target.tip.batch_hash == rival.header.struct_hash


def test_refusing_undoes_everything_after_it_and_only_what_was_accepted() -> None:
    batches = make_batches(3)
    target = derivation()
    events = feed(target, *(b for batch in batches for b in blobs_of(batch)))
    assert isinstance(events[1], AcceptedBatch)
    target.refuse(events[1])
    assert target.tip.sequence == 1
    with pytest.raises(Fatal, match="not accepted"):
        target.refuse(events[1])


def test_batches_too_far_ahead_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HELD_BATCHES", 3)
    batches = make_batches(6)
    target = derivation()
    events = feed(target, *(b for batch in reversed(batches[1:]) for b in blobs_of(batch)))
    assert reasons(events) == [Ignored.TOO_FAR_AHEAD] * 3
    assert target.waiting == (2, 3)
    assert accepted(feed(target, *blobs_of(batches[0]))) == [1, 2, 3]


def test_what_is_held_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = make_batches(6, shape=Shape(2, 5, 100))
    size = len(compression.compress(batches[2].body))
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", int(2.5 * size))
    target = derivation()
    events = feed(target, *(b for batch in batches[1:] for b in blobs_of(batch)))
    assert reasons(events) == [Ignored.TOO_FAR_AHEAD] * 3
    assert accepted(feed(target, *blobs_of(batches[0]))) == [1, 2, 3]
