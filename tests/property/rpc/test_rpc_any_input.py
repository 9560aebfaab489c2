"""Whatever bytes come in, what goes out is valid JSON-RPC."""

import asyncio
import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sequencer.rpc.methods.table import METHODS
from tests.unit.rpc.sample_chain import USER, dispatcher, every_type, sample_backend

SERVED = dispatcher(sample_backend(), batch_limit=8)
HASH = "0x" + every_type()[0].hash.hex()

telling = st.sampled_from(
    [
        "latest",
        "pending",
        "safe",
        "0x0",
        "0x1",
        "0x",
        "",
        HASH,
        "0x" + USER.hex(),
        "newHeads",
        "logs",
        "0xffffffffffffffff",
    ]
)
keys = st.sampled_from(
    ["fromBlock", "toBlock", "blockHash", "address", "topics", "to", "from", "data", "input", "gas", "value", "chainId",
     "accessList", "authorizationList", "storageKeys", "maxFeePerGas", "balance", "stateDiff", HASH]
) | st.text(max_size=3)  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | telling
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
requests = st.fixed_dictionaries(
    {"method": st.sampled_from(sorted(METHODS)) | values},
    optional={
        "jsonrpc": st.just("2.0") | values,
        "id": st.integers(0, 9) | values,
        "params": st.lists(values, max_size=4) | values,
    },
)
likely = st.builds(
    lambda method, params: {"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
    st.sampled_from(sorted(METHODS)),
    st.lists(values, max_size=4),
)


def respond(body: bytes) -> Any:
    response = asyncio.run(SERVED.respond(body))
    return orjson.loads(response) if response else None


def check(response: Any) -> None:
    """The shape that the specification demands of one response object."""
    assert set(response) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
    assert response["jsonrpc"] == "2.0"
    assert response["id"] is None or type(response["id"]) in (str, int)
    if "error" in response:
        assert {"code", "message"} <= set(response["error"]) <= {"code", "message", "data"}
        assert type(response["error"]["code"]) is int
        assert response["error"]["code"] != -32603, "a handler let an exception out"
        assert type(response["error"]["message"]) is str


def check_all(response: Any) -> None:
    if isinstance(response, list):
        assert response
        for item in response:
            check(item)
    elif response is not None:
        check(response)


@given(st.binary(max_size=200))
def test_random_bytes(body: bytes) -> None:
    check(respond(body))


@given(values)
def test_random_json(value: Any) -> None:
    check_all(respond(_dumps(value)))


@given(likely)
def test_random_params_for_every_method(request: dict[str, Any]) -> None:
    response = respond(_dumps(request))
    check(response)
    assert response["id"] == 1


@given(requests | st.lists(requests, max_size=10))
def test_random_requests_and_batches(body: Any) -> None:
    check_all(respond(_dumps(body)))


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
