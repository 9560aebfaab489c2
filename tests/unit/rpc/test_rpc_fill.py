"""``eth_fillTransaction``: wallets sign its answer without looking again, so every field is checked here."""

from typing import Any

import pytest

from sequencer.core.calls import AccountView, CallResult
from sequencer.core.keccak import EMPTY_HASH
from sequencer.core.transaction import decode
from sequencer.rpc.config import RpcConfig
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import CHAIN_ID, GWEI, OTHER, USER, dispatcher, sample_backend

SENDER, RECIPIENT = "0x" + USER.hex(), "0x" + OTHER.hex()
LISTED = [{"address": RECIPIENT, "storageKeys": ["0x" + "00" * 32]}]
AUTHORIZATION = {"chainId": "0x0", "address": RECIPIENT, "nonce": "0x1", "yParity": "0x1", "r": "0x2", "s": "0x3"}


async def fill(**fields: Any) -> tuple[dict[str, Any], Any]:
    """The filled fields, and the transaction that ``raw`` encodes."""
    backend = sample_backend()
    backend.account_views[USER] = AccountView(8, 10**20, EMPTY_HASH)
    backend.answer_estimate = lambda _: 34_567
    answer = await result(dispatcher(backend), "eth_fillTransaction", {"from": SENDER, "to": RECIPIENT, **fields})
    raw = bytes.fromhex(answer["raw"][2:])
    # An unsigned legacy transaction has no v that could be decoded.
    return answer["tx"], decode(raw) if raw[0] < 0xC0 else None


async def test_everything_that_is_missing_is_filled_in() -> None:
    filled, decoded = await fill(value="0x5", data="0x0102")
    base_fee, tip = sample_backend().next_base_fee(), int(filled["maxPriorityFeePerGas"], 16)
    assert RpcConfig().minimum_tip_wei <= tip <= RpcConfig().maximum_tip_wei
    assert filled == {
        "type": "0x2",
        "chainId": hex(CHAIN_ID),
        "nonce": "0x9",  # eight are pre-confirmed, and one waits in the pool
        "to": RECIPIENT,
        "gas": hex(34_567),
        "value": "0x5",
        "input": "0x0102",
        "gasPrice": hex(tip + 2 * base_fee),
        "maxPriorityFeePerGas": hex(tip),
        "maxFeePerGas": hex(tip + 2 * base_fee),
        "accessList": [],
    }
    assert (decoded.nonce, decoded.gas_limit, decoded.value, decoded.data) == (9, 34_567, 5, b"\x01\x02")
    assert (decoded.max_fee_per_gas, decoded.chain_id, decoded.r, decoded.s) == (tip + 2 * base_fee, CHAIN_ID, 0, 0)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"gasPrice": hex(GWEI)}, 0),
        ({"gasPrice": hex(GWEI), "accessList": LISTED}, 1),
        ({"type": "0x1"}, 1),
        ({"accessList": LISTED}, 2),
        ({"maxFeePerGas": hex(9 * GWEI)}, 2),
        ({"authorizationList": [AUTHORIZATION]}, 4),
    ],
)
async def test_the_type_follows_from_the_fields(fields: dict[str, Any], kind: int) -> None:
    filled, decoded = await fill(**fields)
    assert int(filled["type"], 16) == kind
    assert (decoded.type if decoded else 0) == kind
    assert ("maxFeePerGas" in filled) == (kind >= 2)
    if kind == 4:
        assert filled["authorizationList"] == [AUTHORIZATION]
        assert len(decoded.authorizations) == 1


async def test_what_was_set_is_kept() -> None:
    own = {"nonce": "0x63", "gas": "0x5209", "maxFeePerGas": "0x7", "maxPriorityFeePerGas": "0x3", "type": "0x2"}
    filled, _ = await fill(**own)
    assert {name: filled[name] for name in own} == own
    capped, _ = await fill(maxFeePerGas="0x7")
    assert capped["maxPriorityFeePerGas"] == "0x7", "a tip never exceeds the cap that was given"


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"to": None}, -32000, "contract creation without any data"),
        ({"type": "0x0", "maxFeePerGas": "0x1"}, -32602, "type 0 does not go with"),
        ({"type": "0x4"}, -32602, "type 4 does not go with"),
        ({"type": "0x3"}, -32000, "transaction type not supported"),
        ({"type": "0x7f"}, -32000, "transaction type not supported"),
        ({"chainId": "0x1"}, -32000, "chainId does not match"),
        ({"maxFeePerGas": "0x0"}, -32000, "maxFeePerGas must be non-zero"),
        ({"maxFeePerGas": "0x0", "maxPriorityFeePerGas": "0x0"}, -32000, "maxFeePerGas must be non-zero"),
        ({"gasPrice": "0x1", "maxFeePerGas": "0x1"}, -32000, "both gasPrice and"),
        ({"to": None, "data": "0x00", "authorizationList": [AUTHORIZATION]}, -32000, "cannot be used to create"),
    ],
)
async def test_contradictions_are_refused(fields: dict[str, Any], code: int, words: str) -> None:
    given = {"from": SENDER, "to": RECIPIENT} | fields
    refused = await error(dispatcher(sample_backend()), "eth_fillTransaction", given)
    assert (refused["code"], words in refused["message"]) == (code, True), refused


async def test_a_revert_is_told_with_its_data() -> None:
    backend = sample_backend()
    backend.answer_estimate = lambda _: CallResult(b"\x12\x34", 30_000, reverted=True)
    refused = await error(dispatcher(backend), "eth_fillTransaction", {"from": SENDER, "to": RECIPIENT})
    assert (refused["code"], refused["data"]) == (3, "0x1234")
