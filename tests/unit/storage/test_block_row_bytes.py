"""The bytes of a block's rows, drawn out once."""

from sequencer.core.receipt import Log
from sequencer.storage.rows import Packed, StoredOutcome, receipts_row
from tests.unit.storage.sample_blocks import address, executed, topic


def test_receipts_without_logs_are_stored_without_their_bloom() -> None:
    log = Log(address(1), (topic(1),), b"x")
    outcomes = [executed(1, 21_000), executed(2, 42_000, [log, log], creates=True), executed(3, 63_000, creates=True)]
    row = Packed(receipts_row(outcomes))
    gas = (21_000).to_bytes(8, "big")
    first, second, third = (row[position] for position in range(3))
    assert first == gas + bytes(4) + b"\x02" + bytes(20) + bytes.fromhex("02f9010801825208b90100c0")
    assert second == gas + bytes(4) + b"\x01" + address(9) + outcomes[1].receipt
    assert third[:33] == gas + b"\0\0\0\x02" + b"\x03" + address(10)
    for outcome, part in zip(outcomes, (first, second, third), strict=True):
        stored = StoredOutcome(part)
        assert (stored.receipt, stored.contract_address) == (outcome.receipt, outcome.contract_address)


def test_a_receipt_that_was_stored_with_its_bloom_still_reads() -> None:
    outcome = executed(1, 21_000)
    part = outcome.gas_used.to_bytes(8, "big") + bytes(4) + b"\0" + bytes(20) + outcome.receipt
    assert StoredOutcome(part).receipt == outcome.receipt
