"""Nodes that answer anything: our errors or a value, never anything else, and nothing false is believed."""

import contextlib
from typing import Any

import httpx
import orjson
from hypothesis import given
from hypothesis import strategies as st

from da.celestia import wire
from da.celestia.config import CelestiaConfig
from da.celestia.layer import CelestiaLayer
from da.celestia.rpc import NodeRpc
from da.ethereum import inbox, journal, packing
from da.ethereum.beacon import BeaconNode
from da.http import HttpClient
from sequencer.core.errors import Malformed, SequencerError
from sequencer.core.ports import BlobRef
from sequencer.core.types import Hash32
from tests.unit.da.celestia_node import NAMESPACE

SPACE = wire.encode(NAMESPACE)
texts = st.text(max_size=12) | st.sampled_from(["", SPACE, "AQ==", "0x", "0x01", "5", "utia"])
plain = st.none() | st.booleans() | st.integers(-2, 2**66) | st.floats(allow_nan=False) | texts
names = st.sampled_from(
    ["namespace", "data", "share_version", "signer", "index", "header", "height", "chain_id", "denom", "amount", "data"]
) | st.text(max_size=6)
anything: st.SearchStrategy[Any] = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=20
)
blobs = st.fixed_dictionaries(
    {"namespace": st.just(SPACE) | texts, "data": st.binary(max_size=40).map(wire.encode) | texts},
    optional={"share_version": st.integers(-1, 3), "signer": texts, "index": plain, "commitment": texts},
)


@given(anything | st.lists(blobs, max_size=3))
def test_any_json_is_malformed_or_parses(answer: Any) -> None:
    for parse in (wire.parse_head, wire.parse_balance, lambda it: wire.parse_blobs(it, NAMESPACE)):
        with contextlib.suppress(Malformed):
            parse(answer)


@given(st.integers(200, 504), anything, st.binary(max_size=60))
async def test_a_node_that_answers_anything_raises_our_errors_only(status: int, answer: Any, noise: bytes) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        request_id = orjson.loads(request.content)["id"]
        try:
            body = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "result": answer})
        except (TypeError, orjson.JSONEncodeError):
            body = noise
        return httpx.Response(status, content=noise if answer is None else body)

    async with HttpClient("the node", 10_000, httpx.MockTransport(respond)) as http:
        layer = CelestiaLayer(CelestiaConfig(), NAMESPACE, NodeRpc(http, "http://localhost", None))
        ref = BlobRef("celestia", 1, layer.commitment(b"ours"))
        for call in (layer.head(), layer.status(ref), layer.accounts(), layer.submit([b"ours"])):
            with contextlib.suppress(SequencerError):
                await call
        with contextlib.suppress(SequencerError):
            assert await layer.fetch(ref) == b"ours"


@given(anything, st.integers(200, 504))
async def test_a_beacon_node_that_answers_anything(answer: Any, status: int) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        try:
            return httpx.Response(status, content=orjson.dumps(answer))
        except (TypeError, orjson.JSONEncodeError):
            return httpx.Response(status, content=b"{")

    async with HttpClient("the node", 10_000, httpx.MockTransport(respond)) as http:
        with contextlib.suppress(SequencerError):
            await BeaconNode(http, "http://localhost", 1000).blobs(1, 1, [Hash32(bytes(32))])


@given(anything | st.fixed_dictionaries({"topics": st.lists(texts), "data": texts}))
def test_any_log_is_malformed_or_a_reference(log: Any) -> None:
    if isinstance(log, dict):
        with contextlib.suppress(Malformed):
            inbox.parse_event(log)


@given(st.binary(max_size=300))
def test_any_bytes_are_malformed_or_read_back(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        row = journal.decode(5, b"\x01" + data)
        assert journal.encode(row) == b"\x01" + data
    with contextlib.suppress(Malformed):
        packing.unpack(data)
    with contextlib.suppress(Malformed):
        inbox.read_calldata(data)
