"""``eth_sendRawTransactionConditional``: nothing enters the pool unless every condition holds."""

from typing import Any

import pytest

from sequencer.core.calls import AccountView
from sequencer.core.keccak import EMPTY_HASH
from sequencer.core.types import Hash32
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import CONTRACT, USER, dispatcher, sample_backend, signed

KEY, VALUE = Hash32(bytes(31) + b"\x01"), Hash32(b"\x07" * 32)
ADDRESS = "0x" + CONTRACT.hex()
RAW = "0x" + signed(9).raw.hex()
OPEN_NUMBER, OPEN_TIME = 4, 1_700_000_004


def backend_with_slot() -> Any:
    backend = sample_backend()
    backend.slots[CONTRACT, KEY] = VALUE
    backend.account_views[USER] = AccountView(8, 10**20, EMPTY_HASH)
    return backend


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"knownAccounts": {ADDRESS: {"0x1": "0x" + VALUE.hex()}}},
        {"blockNumberMin": OPEN_NUMBER, "blockNumberMax": hex(OPEN_NUMBER)},
        {"timestampMin": hex(OPEN_TIME), "timestampMax": OPEN_TIME},
        {"blockNumberMin": None, "knownAccounts": {}},
    ],
)
async def test_conditions_that_hold_let_it_in(conditions: dict[str, Any]) -> None:
    backend = backend_with_slot()
    answer = await result(dispatcher(backend), "eth_sendRawTransactionConditional", RAW, conditions)
    assert bytes.fromhex(answer[2:]) in backend.pool


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"knownAccounts": {ADDRESS: {"0x1": "0x" + "08" * 32}}}, "has another value"),
        ({"knownAccounts": {ADDRESS: {"0x2": "0x" + VALUE.hex()}}}, "has another value"),
        ({"blockNumberMin": hex(OPEN_NUMBER + 1)}, "block number 4 is out"),
        ({"blockNumberMax": hex(OPEN_NUMBER - 1)}, "block number 4 is out"),
        ({"timestampMin": hex(OPEN_TIME + 1)}, "timestamp 1700000004 is out"),
        ({"timestampMax": hex(OPEN_TIME - 1)}, "timestamp 1700000004 is out"),
    ],
)
async def test_a_condition_that_fails_keeps_it_out(conditions: dict[str, Any], words: str) -> None:
    backend = backend_with_slot()
    held = len(backend.pool)
    refused = await error(dispatcher(backend), "eth_sendRawTransactionConditional", RAW, conditions)
    assert (refused["code"], words in refused["message"]) == (-32003, True), refused
    assert len(backend.pool) == held


@pytest.mark.parametrize(
    ("conditions", "code", "words"),
    [
        ({"knownAccounts": {ADDRESS: "0x" + "01" * 32}}, -32602, "storage root"),
        ({"blockHash": "0x" + "01" * 32}, -32602, "unknown condition: blockHash"),
        ({"knownAccounts": {ADDRESS: {hex(n): "0x" + "00" * 32 for n in range(1_000)}}}, -32005, "at most 1000"),
    ],
)
async def test_what_cannot_be_kept_is_refused(conditions: dict[str, Any], code: int, words: str) -> None:
    refused = await error(dispatcher(backend_with_slot()), "eth_sendRawTransactionConditional", RAW, conditions)
    assert (refused["code"], words in refused["message"]) == (code, True), refused


async def test_one_that_could_not_run_right_away_is_refused() -> None:
    raw = "0x" + signed(11).raw.hex()
    refused = await error(dispatcher(backend_with_slot()), "eth_sendRawTransactionConditional", raw, {})
    assert refused["message"] == "transaction conditional failed: nonce too high: next nonce 9, tx nonce 11"
