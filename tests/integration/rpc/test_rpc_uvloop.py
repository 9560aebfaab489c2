"""The server on the event loop that nodes run on; the other tests use the standard library's."""

import asyncio

import aiohttp
import uvloop

from tests.integration.rpc.raw_client import parse_response, serving
from tests.unit.rpc.sample_chain import block_on

CHAIN_ID = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'


def test_requests_subscriptions_and_deadlines() -> None:
    async def visit() -> None:
        async with serving(header_timeout_s=0.2, connection_limit=3) as server:
            status, _, body = await server.post(CHAIN_ID)
            assert (status, body) == (200, b'{"jsonrpc":"2.0","id":1,"result":"0x1cbd"}')
            assert parse_response(await server.send(b"POST / HT"))[0] == 408
            async with aiohttp.ClientSession() as session, session.ws_connect(server.url) as ws:
                await ws.send_str('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
                await ws.receive(timeout=10)
                server.backend.seal(block_on(server.backend.blocks[-1].header))
                assert "0x4" in (await ws.receive(timeout=10)).data
                idle = [await asyncio.open_connection(server.host, server.port) for _ in range(9)]
                assert (await server.post(CHAIN_ID))[0] == 200
                for _, writer in idle:
                    writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(visit())
