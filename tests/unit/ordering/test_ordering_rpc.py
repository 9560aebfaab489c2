"""The RPC's side of ordering: bundles parsed to the letter, and what a chain without a desk answers."""

from collections.abc import Sequence
from typing import Any

import pytest

from sequencer.core.keccak import keccak256
from sequencer.core.types import UINT64_MAX, Hash32
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.testing.backend import MemoryBackend
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import dispatcher, sample_backend

HASH = "0x" + "ab" * 32
NEVER = (0, UINT64_MAX)


class Desk:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.bundles: list[tuple[Any, ...]] = []

    def capability(self) -> dict[str, Any]:
        return {"policy": "fcfs", "auditedWith": "receipts"}

    async def received(self, transaction_hash: Hash32) -> dict[str, Any] | None:
        return {"txHash": "0x" + transaction_hash.hex()}

    def flashblocks(self, number: int) -> dict[str, Any] | None:
        return {"blockNumber": hex(number)} if number < 10 else None

    async def submit_bundle(
        self,
        raws: Sequence[bytes],
        blocks: tuple[int, int],
        times_s: tuple[int, int],
        may_revert: frozenset[Hash32],
    ) -> Hash32:
        self.bundles.append((list(raws), blocks, times_s, may_revert))
        return keccak256(b"bundle")


class OrderingBackend(MemoryBackend):
    """A chain that this node orders."""

    ordering: Desk


def with_desk() -> tuple[Desk, Dispatcher]:
    sample = sample_backend()
    backend = OrderingBackend.__new__(OrderingBackend)
    backend.__dict__ = sample.__dict__
    backend.ordering = Desk()
    return backend.ordering, dispatcher(backend)


@pytest.mark.parametrize(
    ("bundle", "handed"),
    [
        ({"txs": ["0x01", "0x02"]}, ([b"\x01", b"\x02"], NEVER, NEVER, frozenset())),
        ({"txs": ["0x01"], "blockNumber": "0x10"}, ([b"\x01"], (16, 16), NEVER, frozenset())),
        ({"txs": ["0x01"], "minBlockNumber": "0x10"}, ([b"\x01"], (16, UINT64_MAX), NEVER, frozenset())),
        (
            {"txs": ["0x01"], "maxBlockNumber": 9, "minTimestamp": 5, "maxTimestamp": "0x7"},
            ([b"\x01"], (0, 9), (5, 7), frozenset()),
        ),
        ({"txs": ["0x01"], "revertingTxHashes": [HASH]}, ([b"\x01"], NEVER, NEVER, frozenset([b"\xab" * 32]))),
        ({"txs": ["0x01"], "blockNumber": None}, ([b"\x01"], NEVER, NEVER, frozenset())),
    ],
)
async def test_a_bundle_is_handed_on_as_it_was_meant(bundle: dict[str, Any], handed: tuple[Any, ...]) -> None:
    desk, calling = with_desk()
    assert await result(calling, "eth_sendBundle", bundle) == {"bundleHash": "0x" + keccak256(b"bundle").hex()}
    assert desk.bundles == [handed]


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ({}, "invalid argument 0: txs is missing"),
        ({"txs": "0x01"}, "invalid argument 0: expected an array"),
        ({"txs": ["01"]}, "invalid argument 0: hex string without 0x prefix"),
        ({"txs": [], "replacementUuid": "1"}, "invalid argument 0: unknown member replacementUuid"),
        (
            {"txs": [], "blockNumber": "0x1", "minBlockNumber": "0x1"},
            "invalid argument 0: blockNumber excludes minBlockNumber and maxBlockNumber",
        ),
        ({"txs": [], "revertingTxHashes": ["0x12"]}, "invalid argument 0: hex string has length 2, want 64"),
        ("0x01", "invalid argument 0: expected an object"),
    ],
)
async def test_a_condition_that_is_not_understood_is_refused(bundle: object, words: str) -> None:
    desk, calling = with_desk()
    refused = await error(calling, "eth_sendBundle", bundle)
    assert (refused["code"], refused["message"]) == (-32602, words)
    assert desk.bundles == []


async def test_receipts_records_and_capability() -> None:
    _, calling = with_desk()
    assert await result(calling, "sequencer_getReceived", HASH) == {"txHash": HASH}
    assert await result(calling, "sequencer_getFlashblocks", "0x3") == {"blockNumber": "0x3"}
    assert await result(calling, "sequencer_getFlashblocks", "0xa") is None
    assert (await result(calling, "sequencer_capabilities"))["ordering"]["auditedWith"] == "receipts"


@pytest.mark.parametrize(
    ("method", "parameter"),
    [("eth_sendBundle", {"txs": []}), ("sequencer_getReceived", HASH), ("sequencer_getFlashblocks", "0x1")],
)
async def test_a_chain_that_this_node_does_not_order_has_none_of_it(method: str, parameter: object) -> None:
    calling = dispatcher(sample_backend())
    refused = await error(calling, method, parameter)
    assert (refused["code"], refused["message"]) == (-32601, f"the method {method} does not exist/is not available")
    assert (await result(calling, "sequencer_capabilities"))["ordering"] is None
