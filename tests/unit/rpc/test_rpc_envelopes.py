"""JSON-RPC 2.0 envelopes: every rule of the specification as a row."""

import asyncio
from typing import Any

import orjson
import pytest

from sequencer.rpc import jsonrpc
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.jsonrpc import Invalid, Request
from tests.unit.rpc.sample_chain import dispatcher, sample_backend, signed

OK = {"jsonrpc": "2.0", "id": 1, "result": "0x1cbd"}


def call(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"} | members


async def answer(body: bytes | object, **settings: Any) -> Any:
    encoded = body if isinstance(body, bytes) else orjson.dumps(body)
    response = await dispatcher(sample_backend(), **settings).respond(encoded)
    return orjson.loads(response) if response else None


@pytest.mark.parametrize("request_id", [0, 1, -5, 2**63 - 1, 2**64 - 1, "", "abc", "0x1", "\u00fc", None])
async def test_ids_come_back_unchanged(request_id: object) -> None:
    assert await answer(call(id=request_id)) == OK | {"id": request_id}


@pytest.mark.parametrize("params", ["absent", [], None])
async def test_params_absent_empty_and_null_are_alike(params: object) -> None:
    request = call() if params == "absent" else call(params=params)
    assert await answer(request) == OK


@pytest.mark.parametrize(
    ("body", "code", "request_id"),
    [
        (b"", -32700, None),
        (b"{", -32700, None),
        (b"nonsense", -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"} x', -32700, None),
        (b"\xff", -32700, None),
        (b'"\\ud800"', -32700, None),
        (b"NaN", -32700, None),
        (b"[" * 1_000_000, -32700, None),
        (b'{"a":' * 5_000, -32700, None),
        (b"[]", -32600, None),
        (b"1", -32600, None),
        (b"null", -32600, None),
        (b'"eth_chainId"', -32600, None),
        (b"{}", -32600, None),
        (call(jsonrpc="1.0"), -32600, 1),
        (call(jsonrpc=2.0), -32600, 1),
        ({"id": 1, "method": "eth_chainId"}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1}, -32600, 1),
        (call(method=1), -32600, 1),
        (call(method=None), -32600, 1),
        ({"jsonrpc": "2.0", "method": 1, "params": "bar"}, -32600, None),
        (call(params="0x1"), -32602, 1),
        (call(params=1), -32602, 1),
        (call(params=False), -32602, 1),
        (call(params={"a": 1}), -32602, 1),
        (call(params=[1]), -32602, 1),
        (call(id=1.0), -32600, None),
        (call(id=1.5), -32600, None),
        (call(id=True), -32600, None),
        (call(id=[]), -32600, None),
        (call(id={}), -32600, None),
        (b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"eth_chainId"}', -32600, None),
        (call(method="eth_nothing"), -32601, 1),
        (call(method=""), -32601, 1),
        (call(method="__class__"), -32601, 1),
    ],
)
async def test_what_is_wrong_is_named(body: object, code: int, request_id: object) -> None:
    response = await answer(body)
    assert response["jsonrpc"] == "2.0"
    assert response["error"]["code"] == code
    assert response["id"] == request_id
    assert "result" not in response


@pytest.mark.parametrize("method", ["eth_chainId", "eth_nothing", "eth_getBalance", "eth_gasPrice"])
async def test_notifications_have_no_answer(method: str) -> None:
    assert await answer({"jsonrpc": "2.0", "method": method}) is None


async def test_a_notification_is_carried_out() -> None:
    backend = sample_backend()
    raw = "0x" + signed(20).raw.hex()
    request = {"jsonrpc": "2.0", "method": "eth_sendRawTransaction", "params": [raw]}
    assert await dispatcher(backend).respond(orjson.dumps(request)) == b""
    assert signed(20).hash in backend.pool


async def test_batch_answers_in_order_with_its_errors_and_without_its_notifications() -> None:
    batch = [
        call(id="first"),
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        1,
        call(id=2, method="eth_nothing"),
        call(id=3, method="net_version"),
    ]
    responses = await answer(batch)
    assert [response["id"] for response in responses] == ["first", None, 2, 3]
    assert [response.get("error", {}).get("code") for response in responses] == [None, -32600, -32601, None]


async def test_batch_of_one_is_an_array() -> None:
    assert await answer([call()]) == [OK]


async def test_array_with_something_that_is_no_request() -> None:
    assert await answer(b"[1]") == [
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "invalid request"}}
    ]


async def test_batch_of_notifications_has_no_answer() -> None:
    assert await answer([{"jsonrpc": "2.0", "method": "eth_chainId"}] * 3) is None


async def test_batch_limit_counts_requests() -> None:
    assert len(await answer([call()] * 10, batch_limit=10)) == 10
    refused = await answer([call()] * 11, batch_limit=10)
    assert (refused["id"], refused["error"]["code"]) == (None, -32600)
    assert refused["error"]["message"].startswith("batch too large")


async def test_batch_limit_weighs_requests() -> None:
    heavy = call(method="eth_getLogs", params=[{}])
    assert len(await answer([heavy] * 5, batch_cost_limit=100)) == 5
    refused = await answer([heavy] * 6, batch_cost_limit=100)
    assert refused["error"]["message"] == "batch too large: it weighs 120, at most 100 is allowed"


async def test_response_limit_of_one_request() -> None:
    request = call(method="eth_getBlockByNumber", params=["0x1", True])
    assert (await answer(request, response_limit_bytes=1_000))["error"] == {
        "code": -32003,
        "message": "response too large",
    }


async def test_response_limit_of_a_batch() -> None:
    request = call(method="eth_getBlockByNumber", params=["0x2", False])
    size = len(orjson.dumps(await answer(request)))
    responses = await answer([request] * 5, response_limit_bytes=3 * size + 10)
    assert ["result" in response for response in responses] == [True, True, True, False, False]
    assert all(response["error"]["code"] == -32003 for response in responses[3:])


async def test_consecutive_sends_of_a_batch_go_in_together() -> None:
    """None waits for the one before, and the pool sees them in the batch's order."""
    backend = sample_backend()
    order: list[bytes] = []
    inside, most = 0, 0
    admit = backend.submit

    async def submit(raw: bytes) -> Any:
        nonlocal inside, most
        order.append(raw)
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return await admit(raw)

    backend.submit = submit  # type: ignore[method-assign]
    raws = [signed(nonce).raw for nonce in range(9, 14)]
    batch = [call(id=i, method="eth_sendRawTransaction", params=["0x" + raw.hex()]) for i, raw in enumerate(raws)]
    responses = orjson.loads(await dispatcher(backend).respond(orjson.dumps([*batch, call(id=9)])))
    assert [response["id"] for response in responses] == [0, 1, 2, 3, 4, 9]
    assert order == raws
    assert most == 5


async def test_a_defect_in_a_handler_is_an_internal_error_without_details() -> None:
    backend = sample_backend()

    def broken(number: int) -> Any:
        raise ZeroDivisionError("secret")

    backend.block = broken  # type: ignore[method-assign]
    request = call(method="eth_getBlockByNumber", params=["0x1", False])
    response = orjson.loads(await dispatcher(backend).respond(orjson.dumps(request)))
    assert response == {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "internal error"}}


def test_parse_tells_requests_from_notifications() -> None:
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","method":"m","id":null}', 1) == Request("m", [], None, False)
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","method":"m","params":[1]}', 1) == Request("m", [1], None, True)
    assert isinstance(jsonrpc.parse(b"", 1), Invalid)


def test_error_data_is_left_out_when_there_is_none() -> None:
    assert orjson.loads(jsonrpc.failure(1, RpcError(Errors.REVERTED, data="0x"))) == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": 3, "message": "execution reverted", "data": "0x"},
    }
    assert b"data" not in jsonrpc.failure(1, RpcError(Errors.INTERNAL))
