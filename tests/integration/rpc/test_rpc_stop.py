"""Starting, stopping, and errors that end the process."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from sequencer.core.calls import CallResult
from sequencer.core.errors import Fatal, Temporary
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.service import RpcServer
from tests.integration.rpc.raw_client import serving, until
from tests.unit.rpc.sample_chain import sample_backend

CALL = b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":null}]}'


async def test_a_request_in_flight_finishes() -> None:
    async with serving() as server:
        server.backend.hold = asyncio.Event()
        server.backend.answer_call = lambda _: CallResult(b"\x2a", 1)
        answer = asyncio.ensure_future(server.post(CALL))
        await until(lambda: server.backend.calls)
        asyncio.get_running_loop().call_later(0.1, server.backend.hold.set)
    assert b'"0x2a"' in (await answer)[2]


async def test_a_request_that_never_finishes_is_cut_off() -> None:
    async with serving(stop_timeout_s=0.1) as server:
        server.backend.hold = asyncio.Event()
        lines = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(CALL)}\r\n\r\n"
        answer = asyncio.ensure_future(server.send(lines.encode() + CALL))
        await until(lambda: server.backend.calls)
    assert await answer == b""


async def test_nothing_listens_after_the_stop() -> None:
    async with serving() as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        await server.post(CALL)


async def test_an_address_that_is_taken_is_said_plainly() -> None:
    async with serving() as server:
        config = RpcConfig(host=server.host, port=server.port)
        other = RpcServer(config, sample_backend(), RpcMetrics(CollectorRegistry()))
        with pytest.raises(Temporary, match="cannot listen on"):
            await other.start()


async def test_a_fatal_error_in_a_handler_leaves_the_server() -> None:
    async def provoke() -> None:
        async with serving() as server:
            server.backend.state_error = Fatal("the disk is gone")
            _, _, body = await server.post(CALL)
            assert b'"code":-32603,"message":"internal error"' in body
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as left:
        await provoke()
    assert left.value.subgroup(Fatal) is not None
