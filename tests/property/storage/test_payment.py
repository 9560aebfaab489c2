"""The fast way to what a transaction pays finds what the strict decoder finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core import rlp
from sequencer.core.transaction import decode
from sequencer.storage.payment import Payment, payment_of
from tests.unit.rpc.sample_chain import every_type

QUANTITIES = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
TO = st.one_of(st.just(b""), st.binary(min_size=20, max_size=20))


@pytest.mark.parametrize("transaction", every_type(), ids=lambda each: f"type {each.type}")
def test_every_type_is_read_alike(transaction: object) -> None:
    raw: bytes = transaction.raw  # type: ignore[attr-defined]
    strict = decode(raw)
    assert payment_of(raw) == Payment(strict.to, strict.max_fee_per_gas, strict.max_priority_fee_per_gas)


@given(
    st.integers(1, 2**60), QUANTITIES, QUANTITIES, QUANTITIES, QUANTITIES, TO, st.sampled_from([0, 60, 300]).map(bytes)
)
def test_any_lengths_are_followed(
    chain_id: int, nonce: int, tip: int, fee: int, gas: int, to: bytes, data: bytes
) -> None:
    fields: list[rlp.Item] = [*map(rlp.uint, (chain_id, nonce, tip, fee, gas)), to, b"", data, []]
    raw = b"\x02" + rlp.encode([*fields, b"", b"\1", b"\1"])
    assert payment_of(raw) == Payment(to or None, fee, tip)  # type: ignore[arg-type]
