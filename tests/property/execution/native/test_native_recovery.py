"""Recovery in Rust and in Python refuse and accept the same bytes, for the same reason and with the same fields."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mempool import validation
from sequencer.core import rlp, secp256k1, transaction
from sequencer.core.errors import Defect, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.ports import EntryRules
from tests.vectors import vectors_dir

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

CHAIN_ID = 901
KEY = keccak256(b"somebody")
FIELDS = list(transaction.RecoveredTransaction.__dataclass_fields__)


def python_answer(raw: bytes, rules: EntryRules) -> transaction.RecoveredTransaction | Rejected:
    """What the twin in Python says."""
    try:
        validation.check_envelope(raw, rules)
        decoded = transaction.decode(raw)
        validation.check_entry(decoded, rules)
        return transaction.recover(decoded)
    except Rejected as refusal:
        return refusal


def assert_twins_agree(raw: bytes, rules: EntryRules) -> None:
    from execution.evm.native.recovery import NativeRecovery

    expected = python_answer(raw, rules)
    (answer,) = NativeRecovery().recover([raw], rules)
    if isinstance(expected, Rejected):
        assert isinstance(answer, Rejected), (expected, answer)
        assert answer.reason == expected.reason, (expected, answer)
        if answer.reason != "malformed":
            assert answer.detail == expected.detail
        return
    assert not isinstance(answer, Rejected), answer
    for name in FIELDS:
        assert getattr(answer, name) == getattr(expected, name), name


def small_or_any(bits: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(0, 3), st.integers(20_000, 60_000), st.integers(0, 2**bits - 1))


def signed(kind: int, items: list[rlp.Item], chain_id: int | None) -> bytes:
    """A transaction signed by ``KEY``; for type 0 under EIP-155 if a chain is given."""
    if kind:
        signature = secp256k1.sign(KEY, keccak256(bytes((kind,)) + rlp.encode(items)))
        tail = [rlp.uint(signature[64] - 27), *_r_s(signature)]
        return bytes((kind,)) + rlp.encode([*items, *tail])
    replay = [] if chain_id is None else [rlp.uint(chain_id), b"", b""]
    signature = secp256k1.sign(KEY, keccak256(rlp.encode([*items, *replay])))
    v = signature[64] if chain_id is None else signature[64] - 27 + 35 + 2 * chain_id
    return rlp.encode([*items, rlp.uint(v), *_r_s(signature)])


def _r_s(signature: bytes) -> list[rlp.Item]:
    return [rlp.uint(int.from_bytes(part, "big")) for part in (signature[:32], signature[32:64])]


addresses = st.binary(min_size=20, max_size=20)
words = st.binary(min_size=32, max_size=32)
access_lists = st.lists(st.tuples(addresses, st.lists(words, max_size=3)).map(list), max_size=3)
authorizations = st.lists(
    st.tuples(
        st.sampled_from([0, CHAIN_ID, 2**200]).map(rlp.uint),
        addresses,
        small_or_any(64).map(rlp.uint),
        st.integers(0, 3).map(rlp.uint),
        small_or_any(256).map(rlp.uint),
        small_or_any(256).map(rlp.uint),
    ).map(list),
    max_size=3,
)


@st.composite
def transactions(draw: st.DrawFn) -> bytes:
    kind = draw(st.integers(0, 4))
    chain_id = draw(st.sampled_from([CHAIN_ID, CHAIN_ID, CHAIN_ID, 1, 2**70]))
    fees = [rlp.uint(draw(small_or_any(256))) for _ in range(1 if kind < 2 else 2)]
    to = draw(addresses if kind >= 3 else st.one_of(addresses, st.just(b"")))
    items: list[rlp.Item] = [rlp.uint(draw(small_or_any(64))), *fees, rlp.uint(draw(small_or_any(64))), to]
    items += [rlp.uint(draw(small_or_any(256))), draw(st.binary(max_size=100))]
    if kind == 0:
        return signed(0, items, draw(st.sampled_from([chain_id, None])))
    items = [rlp.uint(chain_id), *items, draw(access_lists)]
    if kind == 3:
        items += [rlp.uint(1), [draw(words)]]
    if kind == 4:
        items += [draw(authorizations)]
    return signed(kind, items, chain_id)


rules = st.builds(
    EntryRules,
    st.just(CHAIN_ID),
    st.sampled_from(["cancun", "prague", "osaka"]),
    st.sampled_from([30_000, 30_000_000, 2**63]),
    st.sampled_from([0, 1, 1000]),
    st.sampled_from([0, 1]),
    st.sampled_from([128, 131_072]),
)


ANY = EntryRules(CHAIN_ID, "prague", 30_000_000, 0, 0, 131_072)
COST_OF_EXACTLY_2_TO_THE_256 = [rlp.uint(n) for n in (0, 1, 53_000)] + [b"", rlp.uint(2**256 - 53_000), b""]


@given(transactions(), rules)
@example(signed(0, COST_OF_EXACTLY_2_TO_THE_256, CHAIN_ID), ANY)
def test_twins_agree_on_transactions(raw: bytes, entry_rules: EntryRules) -> None:
    assert_twins_agree(raw, entry_rules)


@given(transactions(), rules, st.integers(0, 2**16), st.binary(max_size=3), st.integers(0, 3))
def test_twins_agree_on_damaged_bytes(raw: bytes, entry_rules: EntryRules, at: int, patch: bytes, cut: int) -> None:
    at %= len(raw)
    assert_twins_agree(raw[:at] + patch + raw[at + cut :], entry_rules)


@given(st.binary(max_size=200), rules)
def test_twins_agree_on_noise(raw: bytes, entry_rules: EntryRules) -> None:
    assert_twins_agree(raw, entry_rules)


def test_twins_agree_on_the_transaction_vectors() -> None:
    import json

    document = json.loads((vectors_dir() / "evm-codec" / "transaction-tests.json").read_bytes())
    free = EntryRules(1, "prague", 2**64 - 1, 0, 0, 2**24)
    for folder in document.values():
        for case in folder.values():
            text = case["txbytes"].removeprefix("0x")
            assert_twins_agree(bytes.fromhex(text), free)


def test_arguments_that_do_not_fit_are_a_defect_and_not_the_end() -> None:
    from execution.evm.native.recovery import NativeRecovery

    rules = EntryRules(chain_id=CHAIN_ID, fork="no fork", gas_limit=1, minimum_fee_per_gas=0, minimum_tip_per_gas=0)
    with pytest.raises(Defect, match="no fork"):
        NativeRecovery().recover([], rules)
