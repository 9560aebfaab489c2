"""No correct sequencer is ever convicted, and no fork ever goes unpunished, over random histories."""

from dataclasses import replace
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.beacon import slashing
from sequencer.beacon.slashing import BatchContents, NoFault
from sequencer.beacon.structs import FLASHBLOCK, values
from sequencer.beacon.watcher import PostedBatch, Watcher
from sequencer.core import merkle
from sequencer.core.eip712 import word
from sequencer.core.evidence import (
    ContradictedPromise,
    DoubleBatch,
    Equivocation,
    Fault,
    Flaw,
    PlaceLeaf,
    SignedHeader,
    SignedPromise,
    verify,
)
from sequencer.core.flashblock import FLASHBLOCK_TYPE, Flashblock
from sequencer.core.keccak import keccak256
from tests.unit.evidence.histories import (
    DOMAIN,
    KEYS,
    History,
    address,
    batch_header,
    correct_history,
    fork,
    sign_header,
    sign_promise,
)

SEEDS = st.integers(0, 2**48)
FEWER = settings(max_examples=max(settings().max_examples * 2 // 5, 1))
"""A whole history an example, and every pair of its promises: two fifths of what the profile asks for."""


@FEWER
@given(seed=SEEDS)
def test_no_two_promises_of_a_correct_sequencer_make_evidence(seed: int) -> None:
    history = correct_history(seed)
    for key in KEYS:
        for a, b in combinations(history.promises_of(key), 2):
            for halves in ((a, b), (b, a)):
                made = slashing.equivocation(DOMAIN, *halves, history.parent_of)
                assert isinstance(made, NoFault), made


@FEWER
@given(seed=SEEDS)
def test_no_choice_of_links_turns_correct_promises_into_evidence(seed: int) -> None:
    """The accuser chooses freely: any ancestors in any order and length, any root."""
    history, rng = correct_history(seed), Random(seed)
    structs = [known for known in history.known.values() if not isinstance(known, bytes)]
    roots = [known for known in history.known.values() if isinstance(known, bytes)] + [b"", b"\xc0"]
    for key in KEYS:
        for a, b in combinations(history.promises_of(key), 2):
            later = max(a, b, key=lambda signed: signed.place)
            line = _line(history, later)
            links = tuple(line[: rng.randint(0, len(line))]) or tuple(rng.choices(structs, k=rng.randint(0, 3)))
            for root in (*roots, _encoding_of(later)):
                assert not verify(Equivocation(DOMAIN, a, b, links, root)).valid


@FEWER
@given(seed=SEEDS)
def test_no_choice_of_leaves_turns_a_correct_batch_into_evidence(seed: int) -> None:
    history = correct_history(seed)
    for batch in history.batches:
        contents = BatchContents.of(batch.flashblocks or ())
        tree = merkle.levels(contents.leaves())
        leaves = [
            PlaceLeaf(at, *contents.places[at], contents.hashes[at], merkle.branch(tree, at))
            for at in range(len(contents.places))
        ]
        chosen = [(), *((leaf,) for leaf in leaves), *combinations(leaves, 2)]
        for key, header in history.headers:
            if header.header != batch.header:
                continue
            for promise in history.promises_of(key):
                made = slashing.contradicted_promise(DOMAIN, promise, header, contents)
                assert isinstance(made, NoFault)
                for some in chosen:
                    assert not verify(ContradictedPromise(DOMAIN, promise, header, some)).valid


@FEWER
@given(seed=SEEDS)
def test_no_two_batches_of_a_correct_sequencer_make_evidence(seed: int) -> None:
    history = correct_history(seed)
    for key in KEYS:
        for a, b in combinations(history.headers_of(key), 2):
            assert not verify(DoubleBatch(DOMAIN, a, b)).valid


@FEWER
@given(seed=SEEDS)
def test_a_watcher_of_correct_sequencers_finds_nothing_in_whatever_order_it_hears(seed: int) -> None:
    history, rng = correct_history(seed), Random(seed)
    heard: list[SignedPromise | PostedBatch] = [promise for _, promise in history.promises] + list(history.batches)
    rng.shuffle(heard)
    watcher = Watcher(DOMAIN)
    for one in heard:
        assert (watcher.saw(one) if isinstance(one, SignedPromise) else watcher.posted(one)) == []


@given(seed=SEEDS, length=st.integers(1, 6))
def test_every_fork_is_proven_by_the_two_signatures(seed: int, length: int) -> None:
    history, rng = correct_history(seed), Random(seed)
    if not history.chain:
        return
    key = rng.choice(KEYS)
    on_fork = sign_promise(key, fork(rng, history, length)[-1])
    ancestry = {f.struct_hash for f in _line(history, on_fork)}
    for made in history.chain:
        signed = sign_promise(key, made)
        descends = made.struct_hash in ancestry or on_fork.flashblock in _line(history, signed)
        for a, b in ((on_fork, signed), (signed, on_fork)):
            built = slashing.equivocation(DOMAIN, a, b, history.parent_of)
            if descends:
                assert isinstance(built, NoFault)
            else:
                assert isinstance(built, Equivocation), built
                verdict = verify(built, DOMAIN)
                assert (verdict.fault, verdict.offender, verdict.flaw) == (Fault.E1, address(key), None)
                swapped = Equivocation(DOMAIN, built.b, built.a, built.links, built.root)
                assert verify(swapped).id == verdict.id


@given(seed=SEEDS, length=st.integers(1, 6))
def test_a_watcher_convicts_every_fork_in_whatever_order_it_hears(seed: int, length: int) -> None:
    history, rng = correct_history(seed), Random(seed)
    key = rng.choice(KEYS)
    signed = {p.flashblock.struct_hash for p in history.promises_of(key)}
    if not history.chain:
        return
    branch = fork(rng, history, length)
    # What is on the fork and what is not must both carry the key's signature.
    off = [
        f for f in history.chain if f.struct_hash in signed and f not in _line(history, sign_promise(key, branch[-1]))
    ]
    if not off:
        return
    promises = [promise for _, promise in history.promises] + [sign_promise(key, branch[-1])]
    rng.shuffle(promises)
    watcher = Watcher(DOMAIN)
    found = [evidence for promise in promises for evidence in watcher.saw(promise)]
    for known in rng.sample(list(history.known.values()), len(history.known)):
        found += watcher.learned(known)
    assert any(verify(evidence).offender == address(key) for evidence in found)
    assert all(verify(evidence).offender == address(key) for evidence in found)


@given(seed=SEEDS, shuffled=st.booleans())
def test_a_batch_that_changes_or_drops_a_promise_is_proven_however_it_is_arranged(seed: int, shuffled: bool) -> None:
    history, rng = correct_history(seed), Random(seed)
    key = rng.choice(KEYS)
    for batch in history.batches:
        flashblocks = list(batch.flashblocks or ())
        if not flashblocks:
            continue
        victim = rng.choice(flashblocks)
        promise = sign_promise(key, victim)
        changed = replace(victim, order_root=rng.randbytes(32))
        instead = [changed] if rng.random() < 0.5 else []
        posted = [kept for f in flashblocks for kept in (instead if f is victim else [f])]
        if shuffled:
            rng.shuffle(posted)
        header = batch_header(
            posted, reset=victim.reset, first_block=batch.header.first_block, last_block=batch.header.last_block
        )
        made = slashing.contradicted_promise(DOMAIN, promise, sign_header(key, header), BatchContents.of(posted))
        assert isinstance(made, ContradictedPromise), made
        assert verify(made).offender == address(key)


@pytest.mark.parametrize("field", ["term", "state_root", "data_hash", "last_block", "flashblocks_root"])
@settings(max_examples=25)
@given(seed=SEEDS)
def test_any_second_batch_of_a_sequence_is_proven(field: str, seed: int) -> None:
    rng = Random(seed)
    key = rng.choice(KEYS)
    header = batch_header([])
    value = getattr(header, field)
    other = batch_header([], **{field: value + 1 if isinstance(value, int) else rng.randbytes(32)})
    a, b = SignedHeader(header, sign_header(key, header).signature), sign_header(key, other)
    made = slashing.double_batch(DOMAIN, a, b)
    assert isinstance(made, DoubleBatch)
    assert verify(made) == verify(DoubleBatch(DOMAIN, b, a))
    assert verify(DoubleBatch(DOMAIN, a, sign_header(KEYS[(KEYS.index(key) + 1) % 3], other))).flaw is (
        Flaw.DIFFERENT_SIGNERS
    )


def _line(history: History, promise: SignedPromise) -> list[Flashblock]:
    """The ancestors of a promise, newest first."""
    line: list[Flashblock] = []
    at = history.parent_of(promise.flashblock)
    while at is not None and not isinstance(at, bytes):
        line.append(at)
        at = history.parent_of(at)
    return line


def _encoding_of(promise: SignedPromise) -> bytes:
    """A flashblock's own encoding, offered as if it were a foreign preimage."""
    return keccak256(FLASHBLOCK_TYPE.encode()) + b"".join(word(v) for v in values(FLASHBLOCK, promise.flashblock))
