"""WebSockets over real sockets: requests, subscriptions, and clients that are too slow."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sequencer.core.views import BlocksReset, FlashblockPublished, TransactionsPooled
from sequencer.rpc.render.block import inclusions
from sequencer.rpc.websocket import STOPPING, TOO_SLOW
from tests.integration.rpc.raw_client import Running, serving, until
from tests.unit.rpc.sample_chain import CONTRACT, OTHER, TOPIC, USER, block_on, log, signed


class Socket:
    """A WebSocket client that matches answers to requests and keeps notifications apart."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self._id = 0
        self._notified: list[Any] = []

    async def ask(self, method: str, *params: Any) -> Any:
        self._id += 1
        await self.ws.send_json({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        while True:
            message = await self.ws.receive_json(timeout=10)
            if message.get("id") == self._id:
                return message.get("result", message.get("error"))
            self._notified.append(message)

    async def next(self) -> Any:
        message = self._notified.pop(0) if self._notified else await self.ws.receive_json(timeout=10)
        assert message["method"] == "eth_subscription"
        return message["params"]


@asynccontextmanager
async def connected(server: Running, **options: Any) -> AsyncIterator[Socket]:
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url, **options) as ws:
        yield Socket(ws)


async def test_requests_and_batches() -> None:
    async with serving() as server, connected(server) as socket:
        assert await socket.ask("eth_chainId") == "0x1cbd"
        await socket.ws.send_str("[" + '{"jsonrpc":"2.0","id":7,"method":"net_version"}' + "]")
        assert await socket.ws.receive_json() == [{"jsonrpc": "2.0", "id": 7, "result": "7357"}]
        await socket.ws.send_str("{")
        assert (await socket.ws.receive_json())["error"]["code"] == -32700


async def test_new_heads() -> None:
    async with serving() as server, connected(server) as socket:
        subscription = await socket.ask("eth_subscribe", "newHeads")
        block = block_on(server.backend.blocks[-1].header)
        server.backend.seal(block)
        notified = await socket.next()
        assert notified["subscription"] == subscription
        assert notified["result"]["hash"] == "0x" + block.header.hash.hex()
        assert "transactions" not in notified["result"]
        assert await socket.ask("eth_unsubscribe", subscription) is True
        server.backend.seal(block_on(block.header))
        assert await socket.ask("eth_chainId") == "0x1cbd"
        assert not socket._notified


async def test_logs_and_their_removal() -> None:
    async with serving() as server, connected(server) as socket:
        await socket.ask("eth_subscribe", "logs", {"address": "0x" + CONTRACT.hex(), "topics": ["0x" + TOPIC.hex()]})
        block = block_on(server.backend.blocks[-1].header, [signed(9)], {0: (log(1), log(2, OTHER), log(3))})
        server.backend.seal(block)
        first, second = await socket.next(), await socket.next()
        assert [n["result"]["logIndex"] for n in (first, second)] == ["0x0", "0x2"]
        assert not first["result"]["removed"]
        server.backend.publish(BlocksReset((block,)))
        removed = (await socket.next())["result"]
        assert removed == first["result"] | {"removed": True}


async def test_pending_transactions_by_hash_and_whole() -> None:
    async with serving() as server, connected(server) as socket:
        by_hash = await socket.ask("eth_subscribe", "newPendingTransactions")
        whole = await socket.ask("eth_subscribe", "newPendingTransactions", True)
        transaction = signed(9)
        server.backend.publish(TransactionsPooled((transaction,)))
        notified = {n["subscription"]: n["result"] for n in (await socket.next(), await socket.next())}
        assert notified[by_hash] == "0x" + transaction.hash.hex()
        assert notified[whole]["from"] == "0x" + USER.hex()


async def test_flashblocks_and_preconfirmations() -> None:
    async with serving() as server, connected(server) as socket:
        backend = server.backend
        assert backend.open is not None
        (promise,) = backend.promises.values()
        transaction_hash = "0x" + promise.transaction_hash.hex()
        flashblocks = await socket.ask("eth_subscribe", "newFlashblocks")
        mine = await socket.ask("eth_subscribe", "preconfirmations", {"sender": "0x" + USER.hex()})
        this = await socket.ask("eth_subscribe", "preconfirmations", {"hash": [transaction_hash]})
        await socket.ask("eth_subscribe", "preconfirmations", {"sender": "0x" + OTHER.hex()})
        placed = inclusions(backend.open.attributes, backend.open.transactions, backend.open.outcomes)
        backend.publish(FlashblockPublished(promise.signed, tuple(placed)))
        notified = {n["subscription"]: n["result"] for n in [await socket.next() for _ in range(3)]}
        assert notified[flashblocks]["transactions"] == [transaction_hash]
        assert notified[mine] == notified[this]
        assert notified[mine]["txHash"] == transaction_hash
        assert await socket.ask("sequencer_getPreconfirmation", transaction_hash) == notified[mine]
        assert not socket._notified


async def test_who_asks_for_the_sync_state_is_told_at_once_that_there_is_nothing_to_catch_up_with() -> None:
    async with serving() as server, connected(server) as socket:
        subscription = await socket.ask("eth_subscribe", "syncing")
        assert await socket.next() == {"subscription": subscription, "result": False}
        assert await socket.ask("eth_syncing") is False


async def test_wrong_subscriptions() -> None:
    async with serving(ws_subscription_limit=1) as server, connected(server) as socket:
        unknown = await socket.ask("eth_subscribe", "newBlocks")
        assert unknown == {"code": -32601, "message": 'no "newBlocks" subscription in eth namespace'}
        assert (await socket.ask("eth_subscribe", "logs", {"topics": "0x"}))["code"] == -32602
        assert (await socket.ask("eth_subscribe"))["message"] == "missing value for required argument 0"
        assert (await socket.ask("eth_unsubscribe", "0x1"))["message"] == "subscription not found"
        await socket.ask("eth_subscribe", "syncing")
        assert (await socket.ask("eth_subscribe", "newHeads"))["code"] == -32005


async def test_a_subscription_belongs_to_its_connection() -> None:
    async with serving() as server, connected(server) as one, connected(server) as two:
        subscription = await one.ask("eth_subscribe", "newHeads")
        assert (await two.ask("eth_unsubscribe", subscription))["message"] == "subscription not found"


async def test_a_slow_consumer_is_dropped_and_the_others_lose_nothing() -> None:
    async with serving(ws_queue_limit=50, write_timeout_s=2.0) as server, connected(server) as fast:
        subscription = await fast.ask("eth_subscribe", "newHeads")
        reader, writer = await _upgrade(server)
        writer.write(_frame(b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'))
        await reader.readuntil(b"}")
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        sealed, parent = 0, server.backend.blocks[-1].header
        async with asyncio.timeout(60):
            while not server.metric("sequencer_rpc_dropped_subscribers_total"):
                block = block_on(parent)
                parent = block.header
                server.backend.seal(block)
                sealed += 1
                notified = await fast.next()
                assert notified["subscription"] == subscription
                assert notified["result"]["number"] == hex(block.header.number)
            assert sealed > 50
        await until(lambda: server.metric("sequencer_rpc_websockets") == 1)
        writer.close()


async def test_the_drop_says_why() -> None:
    """Without a chance to read in between, a burst larger than the queue ends with the reason."""
    async with serving(ws_queue_limit=10) as server, connected(server) as socket:
        await socket.ask("eth_subscribe", "newPendingTransactions")
        transaction = signed(9)
        for _ in range(11):
            server.backend.publish(TransactionsPooled((transaction,)))
        message = await socket.ws.receive(timeout=10)
        while message.type is aiohttp.WSMsgType.TEXT:
            message = await socket.ws.receive(timeout=10)
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1013, TOO_SLOW)


async def test_stopping_says_goodbye() -> None:
    async with aiohttp.ClientSession() as session:
        async with serving() as server:
            ws = await session.ws_connect(server.url)
            await Socket(ws).ask("eth_subscribe", "newHeads")
        message = await ws.receive(timeout=10)
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1001, STOPPING)
        await ws.close()


async def test_a_message_too_large_is_refused() -> None:
    async with serving(ws_frame_limit_bytes=1_000) as server, connected(server) as socket:
        await socket.ws.send_str(" " * 2_000)
        message = await socket.ws.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_a_page_of_a_foreign_origin_may_not_connect() -> None:
    async with serving(cors_origins=("https://app.example",)) as server:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(server, origin="https://evil.example"):
                pass
        assert refused.value.status == 403
        async with connected(server, origin="https://app.example") as socket:
            assert await socket.ask("eth_chainId") == "0x1cbd"


async def test_no_more_websockets_than_allowed() -> None:
    async with serving(ws_connection_limit=1) as server, connected(server):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(server):
                pass
        assert refused.value.status == 503


async def test_subscribing_over_http_is_refused() -> None:
    async with serving() as server:
        _, _, body = await server.post(b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
        assert b'"code":-32601,"message":"notifications not supported"' in body


async def _upgrade(server: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def _frame(payload: bytes) -> bytes:
    """A masked text frame of fewer than 126 bytes; the mask is zero."""
    return bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload
