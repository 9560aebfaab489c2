"""Whatever is handed in, the verifier answers; what it reads is what the node writes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock, Preconfirmation, SignedFlashblock
from sequencer.core.preconf_json import parse
from sequencer.core.types import Address, Hash32, Signature
from sequencer.preconf.verify import verify_json
from sequencer.rpc.render.preconfirmation import preconfirmation as render
from tests.preconfirmations import CHAIN, sample_json

uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
addresses = st.binary(min_size=20, max_size=20).map(Address)
words = st.binary(min_size=32, max_size=32).map(Hash32)
signatures = st.binary(min_size=65, max_size=65).map(Signature)
branches = st.lists(words, max_size=32).map(tuple)
flashblocks = st.builds(
    Flashblock, uint64, uint64, uint32, uint64, uint32, uint32, uint32, words, words, words, words, uint64, uint64
)
promises = st.builds(
    Preconfirmation,
    st.builds(Domain, st.integers(0, 2**256 - 1), addresses, words),
    words,
    uint32,
    words,
    st.builds(SignedFlashblock, flashblocks, addresses, signatures),
    branches,
    branches,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
HONEST = sample_json()


@given(promises)
def test_what_the_node_writes_is_read_back(promise: Preconfirmation) -> None:
    assert parse(json.dumps(render(promise))) == promise


@given(promises)
def test_no_random_promise_is_valid(promise: Preconfirmation) -> None:
    assert not verify_json(json.dumps(render(promise)), chain=CHAIN).valid


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(content: bytes) -> None:
    assert not verify_json(content).valid


@given(anything)
def test_any_json_is_answered(document: Any) -> None:
    assert not verify_json(json.dumps(document)).valid


@given(st.sampled_from(sorted(HONEST)), anything)
def test_any_value_of_a_member_is_answered(member: str, value: Any) -> None:
    report = verify_json(json.dumps({**HONEST, member: value}), chain=CHAIN)
    assert report.valid == (value == HONEST[member])
