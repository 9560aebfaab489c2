"""Streams of flashblocks that begin at a position: everything from there on, once, in order, and then live."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sequencer.core.flashblock import SignedFlashblock
from sequencer.core.heads import Heads
from sequencer.core.views import FlashblockPublished
from sequencer.rpc.methods.eth_subscribe import RESUME_LIMIT_BLOCKS
from sequencer.rpc.render.block import inclusions
from sequencer.testing.backend import MemoryBackend
from tests.integration.rpc.raw_client import Running, serving
from tests.integration.rpc.test_rpc_websocket import Socket, connected


class Chain:
    """Publishes flashblocks of one transaction each at the places it is told."""

    def __init__(self, backend: MemoryBackend) -> None:
        self.backend = backend
        (self.promise,) = backend.promises.values()
        assert backend.open is not None
        self._placed = tuple(inclusions(backend.open.attributes, backend.open.transactions, backend.open.outcomes))

    def publish(self, number: int, index: int) -> None:
        flashblock = replace(self.promise.signed.flashblock, block_number=number, index=index)
        signed = SignedFlashblock(flashblock, self.promise.signed.signer, self.promise.signed.signature)
        self.backend.publish(FlashblockPublished(signed, self._placed))

    def sealed_up_to(self, number: int) -> None:
        """The store has blocks up to here; those above are live."""
        heads = self.backend.heads
        self.backend.heads = Heads(replace(heads.unsafe, number=number), heads.safe, heads.finalized)


def place(notification: Any) -> tuple[int, int]:
    flashblock = notification["result"]["flashblock"]
    return int(flashblock["blockNumber"], 16), int(flashblock["index"], 16)


async def places(socket: Socket, count: int) -> list[tuple[int, int]]:
    return [place(await socket.next()) for _ in range(count)]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ({"blockNumber": "0x0"}, [(1, 0), (1, 1), (3, 0), (4, 0), (4, 1)]),
        ({"blockNumber": "0x1", "index": "0x1"}, [(1, 1), (3, 0), (4, 0), (4, 1)]),
        ({"blockNumber": "0x1", "index": "0x2"}, [(3, 0), (4, 0), (4, 1)]),
        ({"blockNumber": "0x4", "index": "0x1"}, [(4, 1)]),
        ({"blockNumber": "0x4", "index": "0x2"}, []),
        ({"blockNumber": "0x5"}, []),
    ],
)
async def test_what_was_missed_comes_first_then_what_follows(start: Any, expected: list[tuple[int, int]]) -> None:
    async with serving() as server, connected(server) as socket:
        chain = Chain(server.backend)
        for at in ((1, 0), (1, 1), (3, 0), (4, 0), (4, 1)):
            chain.publish(*at)
        await socket.ask("eth_subscribe", "newFlashblocks", {"from": start})
        assert await places(socket, len(expected)) == expected
        chain.publish(5, 0)
        chain.publish(5, 1)
        assert await places(socket, 2) == [(5, 0), (5, 1)]
        assert not socket._notified


async def test_preconfirmations_resume_too() -> None:
    async with serving() as server, connected(server) as socket:
        chain = Chain(server.backend)
        chain.publish(4, 0)
        wanted = "0x" + chain.promise.transaction_hash.hex()
        await socket.ask("eth_subscribe", "preconfirmations", {"hash": wanted, "from": {"blockNumber": "0x4"}})
        assert (await socket.next())["result"]["txHash"] == wanted
        await socket.ask(
            "eth_subscribe", "preconfirmations", {"hash": "0x" + "11" * 32, "from": {"blockNumber": "0x4"}}
        )
        assert await socket.ask("eth_blockNumber")
        assert not socket._notified


async def test_nothing_is_lost_or_doubled_while_catching_up() -> None:
    """Flashblocks are published, and blocks sealed, while the stream is still in the past; the reader is slow."""
    async with serving(ws_queue_limit=8) as server, connected(server) as socket:
        chain = Chain(server.backend)
        expected = [(number, index) for number in range(1, 60) for index in range(number % 4)]
        for at in expected[:50]:
            chain.publish(*at)
        chain.sealed_up_to(expected[49][0] - 1)
        await socket.ask("eth_subscribe", "newFlashblocks", {"from": {"blockNumber": "0x0"}})
        rest = iter(expected[50:])
        seen = []
        while len(seen) < len(expected):
            seen.append(place(await socket.next()))
            if (at := next(rest, None)) is not None:
                chain.publish(*at)
                chain.sealed_up_to(at[0] - 1)
                await asyncio.sleep(0)
        assert seen == expected


async def test_a_late_flashblock_of_a_block_below_the_open_one_is_not_missed() -> None:
    """The builder opens the next block while the last flashblock of the one before is still on its way."""
    async with serving() as server, connected(server) as socket:
        chain = Chain(server.backend)
        chain.sealed_up_to(2)
        chain.publish(3, 0)
        await socket.ask("eth_subscribe", "newFlashblocks", {"from": {"blockNumber": "0x3"}})
        assert await places(socket, 1) == [(3, 0)]
        chain.publish(3, 1)
        chain.publish(4, 0)
        assert await places(socket, 2) == [(3, 1), (4, 0)]


async def test_leaving_while_catching_up() -> None:
    async with serving(ws_queue_limit=4) as server, connected(server) as socket:
        chain = Chain(server.backend)
        for index in range(500):
            chain.publish(1, index)
        subscription = await socket.ask("eth_subscribe", "newFlashblocks", {"from": {"blockNumber": "0x0"}})
        assert await socket.ask("eth_unsubscribe", subscription) is True
        assert await socket.ask("eth_chainId")
        await wait_for_silence(server, socket)


async def wait_for_silence(server: Running, socket: Socket) -> None:
    before = len(socket._notified)
    assert await socket.ask("eth_chainId")
    assert len(socket._notified) <= before + 8
    assert server.metric("sequencer_rpc_subscriptions", kind="NewFlashblocks") == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"from": {}}, "expected a hex string"),
        ({"from": "0x1"}, "expected an object"),
        ({"from": {"blockNumber": "0x01"}}, "leading zero"),
        ({"from": {"blockNumber": "0x1", "index": "0x100000000"}}, "32 bits"),
    ],
)
async def test_positions_that_are_none(options: Any, said: str) -> None:
    async with serving() as server, connected(server) as socket:
        answer = await socket.ask("eth_subscribe", "newFlashblocks", options)
        assert answer["code"] == -32602
        assert said in answer["message"]


async def test_too_far_back() -> None:
    async with serving() as server, connected(server) as socket:
        Chain(server.backend).sealed_up_to(RESUME_LIMIT_BLOCKS + 2)
        answer = await socket.ask("eth_subscribe", "preconfirmations", {"from": {"blockNumber": "0x1"}})
        assert answer["code"] == -32602
        assert "blocks back" in answer["message"]
