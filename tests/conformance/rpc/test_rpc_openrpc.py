"""Answers judged by the execution API's own document and examples.

The document's schemas judge shapes. The examples belong to another chain, so of each one only the shape of
the answer is compared: a result where a result is expected, the same error code where an error is.
"""

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft7Validator

from sequencer.core.calls import CallResult
from sequencer.core.errors import Reason, Rejected
from sequencer.rpc.methods.table import METHODS
from tests.unit.rpc.calling import ask, result
from tests.unit.rpc.sample_chain import USER, block_on, dispatcher, every_type, log, sample_backend, signed
from tests.vectors import vectors_dir

ADDRESS = "0x" + USER.hex()
BLOCK_HASH = "0x" + sample_backend().blocks[1].header.hash.hex()

CALL = {"from": ADDRESS, "to": ADDRESS, "input": "0x"}
AUTHORIZATION = {"chainId": "0x0", "address": ADDRESS, "nonce": "0x0", "yParity": "0x0", "r": "0x1", "s": "0x1"}
REQUESTS: list[tuple[str, list[Any]]] = [
    ("debug_getBadBlocks", []),
    *[(f"debug_getRaw{what}", ["0x1"]) for what in ("Block", "Header", "Receipts")],
    ("debug_getRawTransaction", ["0x" + signed(7).hash.hex()]),
    ("debug_traceBlockByHash", [BLOCK_HASH]),
    ("debug_traceBlockByNumber", ["0x1"]),
    ("debug_traceTransaction", ["0x" + signed(6).hash.hex()]),
    ("eth_accounts", []),
    ("eth_baseFee", []),
    ("eth_blobBaseFee", []),
    ("eth_blockNumber", []),
    ("eth_call", [{"to": ADDRESS, "input": "0x"}, "latest"]),
    ("eth_capabilities", []),
    ("eth_chainId", []),
    ("eth_config", []),
    ("eth_createAccessList", [CALL]),
    ("eth_estimateGas", [{"to": ADDRESS}]),
    ("eth_feeHistory", ["0x3", "latest", [20.0, 95]]),
    ("eth_feeHistory", ["0x2", "pending", []]),
    *[("eth_fillTransaction", [CALL | more]) for more in ({}, {"authorizationList": [AUTHORIZATION]})],
    ("eth_gasPrice", []),
    ("eth_getBalance", [ADDRESS, "pending"]),
    *[("eth_getBlockByHash", [BLOCK_HASH, full]) for full in (True, False)],
    *[("eth_getBlockByNumber", [tag, full]) for tag in ("0x0", "0x1", "latest", "pending") for full in (True, False)],
    ("eth_getBlockByNumber", ["0x3e8", True]),
    *[("eth_getBlockReceipts", [tag]) for tag in ("0x1", "latest", "pending", BLOCK_HASH, "0x3e8")],
    ("eth_getBlockTransactionCountByHash", [BLOCK_HASH]),
    ("eth_getBlockTransactionCountByNumber", ["0x1"]),
    ("eth_getCode", [ADDRESS]),
    ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}]),
    ("eth_getLogs", [{"blockHash": BLOCK_HASH}]),
    ("eth_getProof", [ADDRESS, ["0x0", "0x" + "00" * 32]]),
    ("eth_getStorageAt", [ADDRESS, "0x0"]),
    ("eth_getStorageValues", [{ADDRESS: ["0x0", "0x1"]}]),
    *[("eth_getTransactionByBlockHashAndIndex", [BLOCK_HASH, hex(index)]) for index in range(7)],
    *[("eth_getTransactionByBlockNumberAndIndex", ["0x1", hex(index)]) for index in range(7)],
    *[("eth_getTransactionByHash", ["0x" + t.hash.hex()]) for t in [*every_type(), signed(7)]],
    ("eth_getTransactionCount", [ADDRESS, "pending"]),
    *[("eth_getTransactionReceipt", ["0x" + t.hash.hex()]) for t in [*every_type(), signed(6), signed(7), signed(99)]],
    ("eth_maxPriorityFeePerGas", []),
    ("eth_newBlockFilter", []),
    ("eth_newFilter", [{}]),
    ("eth_newPendingTransactionFilter", []),
    ("eth_sendRawTransaction", ["0x" + signed(9).raw.hex()]),
    ("eth_simulateV1", [{"blockStateCalls": [{"calls": [CALL]}]}]),
    ("eth_syncing", []),
    ("eth_uninstallFilter", ["0x1"]),
    ("net_version", []),
    ("txpool_content", []),
    ("txpool_contentFrom", [ADDRESS]),
    ("txpool_status", []),
]
SIMULATE = "eth_simulateV1"
"""Whose examples are held against a real engine, in a file of their own."""
FILTER_METHODS = ("eth_getFilterChanges", "eth_getFilterLogs")


@cache
def document() -> dict[str, Any]:
    text = (vectors_dir() / "jsonrpc" / "openrpc-eth.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def schema_of(method: str) -> dict[str, Any] | None:
    found = next((row for row in document()["methods"] if row["name"] == method), None)
    return None if found is None else {**found["result"]["schema"], "components": document()["components"]}


def judge(method: str, answer: Any) -> None:
    schema = schema_of(method)
    assert schema is not None, f"the document does not know {method}"
    errors = [error.message for error in Draft7Validator(schema).iter_errors(answer)]
    assert not errors, errors


@pytest.mark.parametrize(("method", "params"), REQUESTS, ids=lambda value: value if isinstance(value, str) else "")
async def test_answers_have_the_documents_shape(method: str, params: list[Any]) -> None:
    judge(method, await result(dispatcher(sample_backend()), method, *params))


async def test_filter_answers_have_the_documents_shape() -> None:
    backend = sample_backend()
    served = dispatcher(backend)
    logs = await result(served, "eth_newFilter", {})
    blocks = await result(served, "eth_newBlockFilter")
    backend.seal(block_on(backend.blocks[-1].header, [signed(7)], {0: (log(1),)}))
    for method, installed in (
        ("eth_getFilterChanges", logs),
        ("eth_getFilterChanges", blocks),
        ("eth_getFilterLogs", logs),
    ):
        answer = await result(served, method, installed)
        assert len(answer) == 1
        judge(method, answer)


def test_every_method_that_the_document_knows_is_judged() -> None:
    known = {row["name"] for row in document()["methods"]}
    judged = {method for method, _ in REQUESTS} | set(FILTER_METHODS)
    assert set(METHODS) & known <= judged


def examples() -> list[Any]:
    folder = vectors_dir() / "jsonrpc" / "execution-apis"
    files = sorted(
        path for path in folder.glob("*/*.io") if path.parent.name in METHODS and path.parent.name != SIMULATE
    )
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in files]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "example" in metafunc.fixturenames:
        metafunc.parametrize("example", examples())


FOREIGN = {
    "eth_getTransactionReceipt/get-legacy-receipt": None,
    "eth_getTransactionByHash/get-dynamic-fee": None,
    "eth_getTransactionByBlockHashAndIndex/get-block-n": None,
    "eth_getBlockTransactionCountByHash/get-genesis": None,
    "eth_getLogs/filter-with-blockHash": -32000,
    "debug_traceTransaction/trace-legacy-transfer": -32000,
    "eth_sendRawTransaction/send-legacy-transaction": -32000,
    "eth_sendRawTransaction/send-dynamic-fee-transaction": -32000,
    "eth_feeHistory/fee-history": -32000,
}
"""Examples that name blocks, transactions or signers of the other chain: what this chain answers instead, null or
an error code."""


async def test_examples_get_answers_of_the_same_kind(example: Any) -> None:
    name = f"{example.parent.name}/{example.stem}"
    backend = sample_backend()
    revert_data = ""
    lines = example.read_text().splitlines()
    request = json.loads(next(line for line in lines if line.startswith(">>"))[3:])
    expected = json.loads(next(line for line in lines if line.startswith("<<"))[3:])
    if "error" in expected and expected["error"]["code"] == 3:
        revert_data = expected["error"]["data"]
        reverted = CallResult(bytes.fromhex(revert_data[2:]), 1, reverted=True)
        backend.answer_call = backend.answer_estimate = lambda _: reverted
    if name.startswith("eth_sendRawTransaction/"):
        backend.refusal = Rejected(Reason.WRONG_CHAIN)
    answer = await ask(dispatcher(backend), request["method"], *request.get("params", []))
    if name in FOREIGN:
        assert answer.get("error", {}).get("code") == FOREIGN[name]
        return
    assert answer["id"] == expected["id"] == 1
    assert answer.get("error", {}).get("code") == expected.get("error", {}).get("code")
    if revert_data:
        assert answer["error"] == expected["error"]
    if "result" in expected:
        assert (answer["result"] is None) == (expected["result"] is None)
        judge(request["method"], answer["result"])
        if isinstance(expected["result"], dict):
            assert set(expected["result"]) <= set(answer["result"]) | {"root"}
