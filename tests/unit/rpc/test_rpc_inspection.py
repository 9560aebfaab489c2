"""Proofs, access lists and traces, with an engine that offers them and with one that does not."""

from typing import Any

import pytest

from sequencer.core.calls import CallResult
from sequencer.core.inspection import AccountProof, SlotProof
from sequencer.core.keccak import EMPTY_HASH, EMPTY_TRIE_ROOT
from sequencer.core.transaction import AccessListEntry
from sequencer.core.types import Hash32
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import CONTRACT, OTHER, USER, dispatcher, sample_backend, signed

ADDRESS = "0x" + USER.hex()
SLOT = Hash32(bytes(31) + b"\x05")
CALL = {"to": "0x" + CONTRACT.hex()}
TRACE = {"gas": 21_000, "failed": False, "returnValue": "", "structLogs": []}
SEALED, OPEN = "0x" + signed(6).hash.hex(), "0x" + signed(7).hash.hex()


async def test_a_proof_repeats_full_keys_and_shortens_others() -> None:
    backend = sample_backend()
    slots = (SlotProof(SLOT, 9, (b"\x01",)),)
    backend.proofs[USER] = AccountProof(3, 7, EMPTY_TRIE_ROOT, EMPTY_HASH, (b"\xaa", b"\xbb"), slots)
    for key, shown in (("0x5", "0x5"), ("0x05", "0x5"), ("0x" + SLOT.hex(), "0x" + SLOT.hex())):
        answer = await result(dispatcher(backend), "eth_getProof", ADDRESS, [key], "latest")
        assert answer["storageProof"] == [{"key": shown, "value": "0x9", "proof": ["0x01"]}]
    del answer["storageProof"]
    assert answer == {
        "address": ADDRESS,
        "accountProof": ["0xaa", "0xbb"],
        "balance": "0x7",
        "nonce": "0x3",
        "codeHash": "0x" + EMPTY_HASH.hex(),
        "storageHash": "0x" + EMPTY_TRIE_ROOT.hex(),
    }


@pytest.mark.parametrize(
    ("block", "code", "words"),
    [("pending", -32000, "no state root"), ("0x3e8", -32000, "header not found"), ("0x0", 4444, "newest 2 blocks")],
)
async def test_proofs_are_of_recent_sealed_blocks(block: str, code: int, words: str) -> None:
    refused = await error(dispatcher(sample_backend(), proof_range_limit=2), "eth_getProof", ADDRESS, [], block)
    assert (refused["code"], words in refused["message"]) == (code, True), refused


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (CallResult(b"", 30_000), None),
        (CallResult(b"\x00", 30_000, reverted=True), "execution reverted"),
        (CallResult(b"", 30_000, halt="out of gas"), "out of gas"),
    ],
)
async def test_an_access_list_says_how_the_call_failed(outcome: CallResult, told: str | None) -> None:
    backend = sample_backend()
    backend.access_lists = lambda _: ((AccessListEntry(OTHER, (SLOT,)),), outcome)
    answer = await result(dispatcher(backend), "eth_createAccessList", CALL)
    listed = [{"address": "0x" + OTHER.hex(), "storageKeys": ["0x" + SLOT.hex()]}]
    assert answer == {"accessList": listed, "gasUsed": hex(30_000)} | ({"error": told} if told else {})


async def test_traces_are_passed_on() -> None:
    served = dispatcher(sample_backend())
    assert await result(served, "debug_traceTransaction", SEALED) == TRACE
    assert await result(served, "debug_traceCall", CALL, "latest") == TRACE
    expected = [{"txHash": SEALED, "result": TRACE}]
    assert await result(served, "debug_traceBlockByNumber", "0x3") == expected
    block_hash = "0x" + sample_backend().blocks[3].header.hash.hex()
    assert await result(served, "debug_traceBlockByHash", block_hash) == expected


async def test_options_reach_the_engine_as_far_as_it_knows_them() -> None:
    backend = sample_backend()
    own: dict[str, Any] = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}, "limit": 5}
    await result(dispatcher(backend), "debug_traceTransaction", SEALED, own | {"timeout": "9s", "reexec": 128})
    assert backend.trace_options == [own]
    overridden = {"stateOverrides": {ADDRESS: {"balance": "0x5"}}, "enableMemory": True}
    await result(dispatcher(backend), "debug_traceCall", CALL, "latest", overridden)
    assert backend.trace_options[1:] == [{"enableMemory": True}]
    assert backend.calls[-1].overrides[USER].balance_wei == 5


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("debug_traceTransaction", ["0x" + "99" * 32], "transaction not found"),
        ("debug_traceTransaction", [OPEN], "not sealed yet"),
        ("debug_traceTransaction", [SEALED, {"tracer": "{step: 1}"}], "tracer not found"),
        ("debug_traceTransaction", [SEALED, {"tracer": 5}], "expected a string"),
        ("debug_traceCall", [CALL, "latest", {"blockOverrides": {"beaconRoot": "0x" + "00" * 32}}], "block override"),
        ("debug_traceBlockByNumber", ["0x0"], "genesis is not traceable"),
        ("debug_traceBlockByNumber", ["0x3e8"], "block #1000 not found"),
        ("debug_traceBlockByHash", ["0x" + "99" * 32], f"block 0x{'99' * 32} not found"),
    ],
)
async def test_what_cannot_be_traced(method: str, params: list[Any], words: str) -> None:
    assert words in (await error(dispatcher(sample_backend()), method, *params))["message"]


async def test_a_trace_too_large_to_send_is_refused() -> None:
    backend = sample_backend()
    backend.trace = '"' + "a" * 2_000 + '"'
    refused = await error(dispatcher(backend, response_limit_bytes=1_000), "debug_traceTransaction", SEALED)
    assert refused["code"] == -32003
