"""The fake node is as strict as the real one: shapes of requests, of errors and of answers."""

from typing import Any

import orjson
import pytest

from da.celestia import wire
from sequencer.testing.celestia import READER, WRITER, Empty, FakeCelestia
from tests.unit.da.celestia_node import NAMESPACE

SPACE = wire.encode(NAMESPACE)
BLOB = wire.blob_json(NAMESPACE, b"x")


async def call(
    node: FakeCelestia, method: str, params: Any, *, token: str | None = WRITER, **other: Any
) -> tuple[int, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params} | other
    answer = await node.answer(orjson.dumps(body), token)
    return answer.status, orjson.loads(answer.body) if answer.body else None


@pytest.mark.parametrize(
    ("method", "params", "status", "code"),
    [
        ("da.Submit", [[], 0, SPACE], 500, -32601),
        ("blob.submit", [[BLOB], {}], 500, -32601),
        ("blob.Submit", [[BLOB]], 500, -32602),
        ("blob.Submit", [[BLOB], {}, {}], 500, -32602),
        ("blob.Submit", {"blobs": []}, 500, -32700),
        ("blob.Submit", [[BLOB], None], 500, 0),
        ("blob.Submit", [[BLOB | {"data": ""}], {}], 500, -32700),
        ("blob.Submit", [[BLOB | {"data": "%%"}], {}], 500, -32700),
        ("blob.Submit", [[BLOB | {"signer": ""}], {}], 500, -32700),
        ("blob.Submit", [[BLOB | {"share_version": 1}], {}], 500, -32700),
        ("blob.Submit", [[BLOB | {"namespace": "AA=="}], {}], 500, -32700),
        ("blob.Submit", [[], {}], 200, 1),
        ("blob.Submit", [[BLOB | {"namespace": wire.encode(bytes(29))}], {}], 200, 1),
        ("blob.GetAll", ["1", [SPACE]], 500, -32700),
        ("blob.GetAll", [-1, [SPACE]], 500, -32700),
        ("blob.GetAll", [0, [SPACE]], 200, 1),
        ("blob.GetAll", [1, SPACE], 500, -32700),
        ("blob.GetAll", [99, [SPACE]], 200, 1),
        ("blob.Get", [1, SPACE, SPACE], 200, 1),
        ("header.LocalHead", [1], 500, -32602),
    ],
)
async def test_what_a_real_node_refuses(method: str, params: Any, status: int, code: int) -> None:
    seen, answer = await call(FakeCelestia(), method, params)
    assert (seen, answer["error"]["code"]) == (status, code)


async def test_requests_that_are_none() -> None:
    node = FakeCelestia()
    assert (await node.answer(b"{", WRITER)).status == 500
    assert (await call(node, "header.LocalHead", [], jsonrpc="1.0"))[0] == 400
    assert (await node.answer(b" " * (17 << 20), WRITER)).status == 413


async def test_tokens_and_permissions() -> None:
    node = FakeCelestia()
    assert (await call(node, "header.LocalHead", [], token="stolen"))[0] == 401
    status, answer = await call(node, "header.LocalHead", [], token=None)
    assert (status, answer["error"]["message"]) == (200, "missing permission to invoke 'LocalHead' (need 'read')")
    _, answer = await call(node, "blob.Submit", [[BLOB], {}], token=READER)
    assert answer["error"]["message"] == "missing permission to invoke 'Submit' (need 'write')"


async def test_answers_have_the_real_shapes() -> None:
    node = FakeCelestia()
    assert await call(node, "blob.Submit", [[BLOB], {}]) == (200, {"jsonrpc": "2.0", "id": 1, "result": 2})
    _, answer = await call(node, "blob.GetAll", [2, [SPACE]])
    assert set(answer["result"][0]) == {"namespace", "data", "share_version", "commitment", "index"}
    _, answer = await call(node, "header.LocalHead", [])
    assert answer["result"]["header"]["height"] == "2"
    for empty, shown in ((Empty.NULL, None), (Empty.LIST, [])):
        node.empty = empty
        assert (await call(node, "blob.GetAll", [1, [SPACE]]))[1]["result"] == shown


async def test_the_next_height_is_waited_for() -> None:
    assert await call(FakeCelestia(), "blob.GetAll", [2, [SPACE]]) == (0, None)


async def test_batches_are_accepted() -> None:
    request = {"jsonrpc": "2.0", "method": "header.LocalHead", "params": []}
    answer = await FakeCelestia().answer(orjson.dumps([request | {"id": 1}, request | {"id": 2}]), READER)
    assert answer.body is not None
    assert [item["id"] for item in orjson.loads(answer.body)] == [1, 2]


async def test_a_commitment_that_is_sent_is_ignored() -> None:
    node = FakeCelestia()
    await call(node, "blob.Submit", [[BLOB | {"commitment": wire.encode(bytes(32))}], {}])
    ((_, blob),) = node.contents()
    assert blob.commitment != bytes(32)
