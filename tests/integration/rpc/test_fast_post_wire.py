"""The short way and the general one give the same answers, however the bytes arrive."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from sequencer.rpc.config import RpcConfig
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.service import RpcServer
from tests.integration.rpc import raw_client
from tests.integration.rpc.raw_client import parse_response
from tests.unit.rpc.sample_chain import sample_backend

CALL = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
NOTIFICATION = b'{"jsonrpc":"2.0","method":"eth_chainId"}'


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    server = RpcServer(RpcConfig(port=0), sample_backend(), RpcMetrics(CollectorRegistry()))
    async with server.serving() as bound:
        yield bound


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST / HTTP/1.1", b"Host: localhost", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def exchange(address: tuple[str, int], pieces: list[bytes], responses: int) -> list[tuple[int, bytes]]:
    """Status and body of each response."""
    answers = map(parse_response, await raw_client.exchange(address, pieces, responses))
    return [(status, body) for status, _, body in answers]


@pytest.mark.parametrize("body", [CALL, NOTIFICATION, b"[" + CALL + b"," + CALL + b"]", b"{", b"[]", b"1", b""])
async def test_both_ways_answer_alike(address: tuple[str, int], body: bytes) -> None:
    [short] = await exchange(address, [post(body)], 1)
    [general] = await exchange(address, [post(body, b"Connection: close")], 1)
    assert short == general


async def test_a_request_may_arrive_byte_by_byte(address: tuple[str, int]) -> None:
    request = post(CALL)
    [(status, body)] = await exchange(address, [request[at : at + 1] for at in range(len(request))], 1)
    assert status == 200
    assert b'"result"' in body


async def test_pipelined_requests_are_answered_in_order(address: tuple[str, int]) -> None:
    calls = [CALL.replace(b'"id":1', b'"id":%d' % serial) for serial in range(20)]
    answers = await exchange(address, [b"".join(map(post, calls))], len(calls))
    assert [int(body.split(b'"id":')[1].split(b",")[0].rstrip(b"}")) for _, body in answers] == list(range(20))


async def test_a_connection_may_change_to_the_general_way_and_goes_on(address: tuple[str, int]) -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    pieces = [post(CALL), chunked % (len(CALL), CALL), post(CALL)]
    answers = await exchange(address, [b"".join(pieces)], 3)
    assert [status for status, _ in answers] == [200, 200, 200]
    assert len({body for _, body in answers}) == 1


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (post(CALL).replace(b"localhost", b"evil.example"), 403),
        (post(CALL).replace(b"POST / ", b"POST /nowhere "), 404),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"\x16\x03\x01 this is not HTTP\r\n\r\n", 400),
    ],
)
async def test_what_is_wrong_is_refused_as_ever(address: tuple[str, int], request_bytes: bytes, status: int) -> None:
    [(answered, _)] = await exchange(address, [request_bytes], 1)
    assert answered == status
