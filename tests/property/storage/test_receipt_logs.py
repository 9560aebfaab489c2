"""The fast way into a stored receipt finds what the strict decoder finds."""

from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.receipt import Log, outcome
from sequencer.core.types import Address, Hash32
from sequencer.storage.receipt_logs import logs_of, summary_of
from tests.receipts import decode_receipt

LOGS = st.builds(
    Log,
    st.binary(min_size=20, max_size=20).map(Address),
    st.lists(st.binary(min_size=32, max_size=32).map(Hash32), max_size=4).map(tuple),
    st.one_of(st.binary(max_size=70), st.integers(250, 70_000).map(bytes)),
)


@given(st.sampled_from([0, 1, 2, 4]), st.booleans(), st.integers(0, 2**63), st.lists(LOGS, max_size=5).map(tuple))
def test_it_agrees_with_the_strict_decoder(kind: int, succeeded: bool, gas: int, logs: tuple[Log, ...]) -> None:
    receipt = outcome(kind, succeeded, 21_000, gas, None, logs).receipt
    assert (*summary_of(receipt), logs_of(receipt)) == decode_receipt(receipt)
    assert summary_of(receipt)[:2] == (succeeded, gas)
    assert logs_of(receipt) == logs
