"""The filters that clients poll."""

from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from sequencer.core.views import BlocksReset, TransactionsPooled
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import RpcError
from sequencer.rpc.filters import BlockFilter, FilterRegistry, PooledRing
from sequencer.rpc.methods.table import METHODS
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.params import parse_params
from sequencer.rpc.subscriptions import SubscriptionHub
from sequencer.testing.backend import MemoryBackend
from tests.unit.rpc.sample_chain import CONTRACT, OTHER, USER, block_on, log, sample_backend, served, signed


class Polling:
    """A chain with filters, and the hub that feeds them."""

    def __init__(self, **settings: Any) -> None:
        self.backend: MemoryBackend = sample_backend()
        self.chain: ServedChain = served(self.backend, **settings)
        self.hub = SubscriptionHub(self.chain, RpcMetrics(CollectorRegistry()))

    async def ask(self, name: str, *params: object) -> Any:
        method = METHODS[name]
        answer = method.handler(self.chain, *parse_params(method.parameters, params))
        return orjson.loads(orjson.dumps(await answer if method.awaits else answer))  # type: ignore[misc]

    def seal(self, *numbers: int) -> str:
        logs = tuple(log(number) for number in numbers)
        transactions = [signed(9 + len(self.backend.blocks))] if logs else []
        block = block_on(self.backend.blocks[-1].header, transactions, {0: logs})
        self.backend.seal(block)
        return "0x" + block.header.hash.hex()

    def reset_to(self, number: int) -> None:
        self.hub.publish(BlocksReset(self.backend.reset_to(number)))


async def test_blocks_since_the_last_poll() -> None:
    polling = Polling()
    installed = await polling.ask("eth_newBlockFilter")
    assert await polling.ask("eth_getFilterChanges", installed) == []
    hashes = [polling.seal(), polling.seal()]
    assert await polling.ask("eth_getFilterChanges", installed) == hashes
    assert await polling.ask("eth_getFilterChanges", installed) == []


async def test_logs_since_the_last_poll() -> None:
    polling = Polling()
    installed = await polling.ask("eth_newFilter", {"address": "0x" + CONTRACT.hex()})
    polling.seal(1, 2)
    polling.seal()
    polling.seal(3)
    changes = await polling.ask("eth_getFilterChanges", installed)
    assert [int(change["data"], 16) for change in changes] == [1, 2, 3]
    assert await polling.ask("eth_getFilterChanges", installed) == []
    assert await polling.ask("eth_getFilterLogs", installed) == [changes[-1]]


async def test_a_log_filter_reaches_from_where_it_says_to_where_it_says() -> None:
    polling = Polling()
    later = await polling.ask("eth_newFilter", {"fromBlock": "0x5"})
    bounded = await polling.ask("eth_newFilter", {"toBlock": "0x4"})
    foreign = await polling.ask("eth_newFilter", {"address": "0x" + OTHER.hex()})
    polling.seal(1)
    polling.seal(2)
    assert [c["blockNumber"] for c in await polling.ask("eth_getFilterChanges", later)] == ["0x5"]
    assert [c["blockNumber"] for c in await polling.ask("eth_getFilterChanges", bounded)] == ["0x4"]
    assert await polling.ask("eth_getFilterChanges", foreign) == []


async def test_more_logs_than_fit_come_with_the_next_poll() -> None:
    polling = Polling(log_result_limit=3)
    installed = await polling.ask("eth_newFilter", {})
    for number in range(3):
        polling.seal(2 * number, 2 * number + 1)
    seen = [await polling.ask("eth_getFilterChanges", installed) for _ in range(4)]
    assert [[int(change["data"], 16) for change in changes] for changes in seen] == [[0, 1], [2, 3], [4, 5], []]


async def test_a_wide_gap_is_walked_in_steps() -> None:
    polling = Polling(log_range_limit=2)
    installed = await polling.ask("eth_newFilter", {})
    for number in range(5):
        polling.seal(number)
    seen = [await polling.ask("eth_getFilterChanges", installed) for _ in range(4)]
    assert [[int(change["data"], 16) for change in changes] for changes in seen] == [[0, 1], [2, 3], [4], []]


async def test_a_reset_takes_reported_logs_back() -> None:
    polling = Polling()
    logs = await polling.ask("eth_newFilter", {})
    blocks = await polling.ask("eth_newBlockFilter")
    unpolled = await polling.ask("eth_newFilter", {})
    polling.seal(1)
    polling.seal(2)
    reported = await polling.ask("eth_getFilterChanges", logs)
    await polling.ask("eth_getFilterChanges", blocks)
    polling.reset_to(3)
    again = polling.seal(3)
    changes = await polling.ask("eth_getFilterChanges", logs)
    assert changes[:2] == [reported[1] | {"removed": True}, reported[0] | {"removed": True}]
    assert [(int(c["data"], 16), c["removed"]) for c in changes[2:]] == [(3, False)]
    assert await polling.ask("eth_getFilterChanges", blocks) == [again]
    assert [int(c["data"], 16) for c in await polling.ask("eth_getFilterChanges", unpolled)] == [3]


async def test_pending_transactions_since_the_last_poll() -> None:
    polling = Polling(filter_results_limit=3)
    hashes = await polling.ask("eth_newPendingTransactionFilter")
    whole = await polling.ask("eth_newPendingTransactionFilter", True)
    transactions = [signed(20 + index) for index in range(5)]
    for transaction in transactions[:2]:
        polling.hub.publish(TransactionsPooled((transaction,)))
    assert await polling.ask("eth_getFilterChanges", hashes) == ["0x" + t.hash.hex() for t in transactions[:2]]
    assert await polling.ask("eth_getFilterChanges", hashes) == []
    for transaction in transactions[2:]:
        polling.hub.publish(TransactionsPooled((transaction,)))
    shown = await polling.ask("eth_getFilterChanges", whole)
    assert [item["nonce"] for item in shown] == ["0x16", "0x17", "0x18"], "the oldest gave way"
    assert shown[0]["from"] == "0x" + USER.hex()


async def test_filters_end() -> None:
    polling = Polling()
    installed = await polling.ask("eth_newBlockFilter")
    assert await polling.ask("eth_uninstallFilter", installed) is True
    assert await polling.ask("eth_uninstallFilter", installed) is False
    with pytest.raises(RpcError, match="filter not found"):
        await polling.ask("eth_getFilterChanges", installed)
    blocks = await polling.ask("eth_newBlockFilter")
    with pytest.raises(RpcError, match="filter not found"):
        await polling.ask("eth_getFilterLogs", blocks)


def test_filters_that_nobody_polls_make_room() -> None:
    registry = FilterRegistry(limit=2, timeout_ms=100, pooled_capacity=1)
    registry.install(1, BlockFilter(0), 0)
    registry.install(2, BlockFilter(0), 50)
    with pytest.raises(RpcError, match="too many filters") as refused:
        registry.install(3, BlockFilter(0), 100)
    assert refused.value.code == -32005
    registry.poll(1, 100)
    registry.install(3, BlockFilter(0), 151)
    assert len(registry) == 2
    registry.poll(1, 151)
    with pytest.raises(RpcError, match="filter not found"):
        registry.poll(2, 151)
    with pytest.raises(RpcError, match="filter not found"):
        registry.poll(3, 252)


def test_the_ring_keeps_the_newest() -> None:
    ring = PooledRing(2)
    transactions = [signed(nonce) for nonce in range(3)]
    ring.extend(transactions[:1])
    ring.extend(transactions[1:])
    assert ring.count == 3
    assert ring.since(0) == transactions[1:]
    assert ring.since(2) == transactions[2:]
    assert ring.since(3) == []
