"""Sends that are served together are answered as each of them would be alone, on its own connection and in order."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from sequencer.core.errors import Defect, Reason, Rejected
from sequencer.core.sends import PlainSends
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.service import RpcServer
from sequencer.testing.backend import MemoryBackend
from tests.integration.rpc.raw_client import exchange
from tests.unit.rpc.sample_chain import every_type, sample_backend, signed

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

from execution.evm.native.ingress import NativeSendReader

RAWS = [transaction.raw for transaction in every_type()]
Address = tuple[str, int]


class Served:
    """A server with the reader, and one without."""

    def __init__(self, config: RpcConfig) -> None:
        self.backend = sample_backend()
        self.registry = CollectorRegistry()
        metrics = RpcMetrics(self.registry)
        self.together = RpcServer(config, self.backend, metrics, sends=NativeSendReader)
        self.alone = RpcServer(config, self.backend, RpcMetrics(CollectorRegistry()))

    def answered(self, code: int) -> float:
        labels = {"method": "eth_sendRawTransaction", "code": str(code)}
        return self.registry.get_sample_value("sequencer_rpc_requests_total", labels) or 0.0


@pytest.fixture
async def served() -> AsyncIterator[tuple[Served, Address, Address]]:
    both = Served(RpcConfig(port=0, cors_origins=("http://good",)))
    async with both.together.serving() as together, both.alone.serving() as alone:
        yield both, together, alone


def call(raw: bytes, serial: object = 1, method: str = "eth_sendRawTransaction") -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": serial, "method": method, "params": ["0x" + raw.hex()]}


def post(body: object, *headers: bytes) -> bytes:
    encoded = json.dumps(body).encode()
    lines = [b"POST / HTTP/1.1", b"Host: localhost", *headers, b"Content-Length: %d" % len(encoded)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + encoded


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(call(RAWS[0])),
        post([call(raw, serial) for serial, raw in enumerate(RAWS)]),
        post(call(RAWS[0]), b"Origin: http://good"),
        post(call(RAWS[0]), b"Origin: http://bad"),
        post(call(b"\x02\x03")),
        post([call(RAWS[0], "a"), call(b"\x7f", "b"), call(RAWS[1], None)]),
        post(call(RAWS[0], method="eth_sendRawTransactionSync")),
        post([call(RAWS[0]), call(RAWS[1], method="eth_chainId")]),
    ],
)
async def test_the_response_is_the_same_byte_for_byte(
    served: tuple[Served, Address, Address], request_bytes: bytes
) -> None:
    _, together, alone = served
    assert await exchange(together, [request_bytes]) == await exchange(alone, [request_bytes])


async def test_many_connections_get_each_its_own_answer(served: tuple[Served, Address, Address]) -> None:
    both, together, _ = served
    raws = [signed(nonce, value=nonce + 1).raw for nonce in range(60)]
    broken = b"\x02\xc0"
    requests = [post(call(broken if n % 7 == 3 else raw, n)) for n, raw in enumerate(raws)]
    answers = await asyncio.gather(*[exchange(together, [request]) for request in requests])
    bodies = [json.loads(answer.partition(b"\r\n\r\n")[2]) for (answer,) in answers]
    assert [body["id"] for body in bodies] == list(range(60))
    assert [n for n, body in enumerate(bodies) if "error" in body] == [n for n in range(60) if n % 7 == 3]
    assert (both.answered(0), both.answered(-32000)) == (51, 9)


async def test_requests_sent_ahead_are_answered_in_order_whatever_they_are(
    served: tuple[Served, Address, Address],
) -> None:
    _, together, _ = served
    bodies = [
        call(RAWS[n % len(RAWS)], n) if n % 3 else {"jsonrpc": "2.0", "id": n, "method": "eth_chainId"}
        for n in range(20)
    ]
    answers = await exchange(together, [b"".join(map(post, bodies))], len(bodies))
    assert [json.loads(answer.partition(b"\r\n\r\n")[2])["id"] for answer in answers] == list(range(20))


async def test_a_send_may_arrive_in_pieces(served: tuple[Served, Address, Address]) -> None:
    _, together, alone = served
    request = post([call(raw, serial) for serial, raw in enumerate(RAWS)])
    whole = await exchange(alone, [request])
    for size in (1, 40, 113, len(request) - 1):
        assert await exchange(together, [request[at : at + size] for at in range(0, len(request), size)]) == whole


async def test_a_client_that_ends_its_side_is_answered_and_let_go(served: tuple[Served, Address, Address]) -> None:
    _, together, _ = served
    reader, writer = await asyncio.open_connection(*together)
    writer.write(post(call(RAWS[0])))
    writer.write_eof()
    assert (await reader.read()).endswith(b'"}')
    writer.close()


async def test_a_client_that_ends_half_way_is_let_go(served: tuple[Served, Address, Address]) -> None:
    _, together, _ = served
    reader, writer = await asyncio.open_connection(*together)
    writer.write(post(call(RAWS[0]))[:-5])
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_a_foreign_name_is_refused(served: tuple[Served, Address, Address]) -> None:
    _, together, _ = served
    (answer,) = await exchange(together, [post(call(RAWS[0])).replace(b"localhost", b"evil.example")])
    assert answer.startswith(b"HTTP/1.1 403")


async def test_the_rate_holds_for_sends_that_are_served_together() -> None:
    both = Served(RpcConfig(port=0, rate_limit_per_ip=3, rate_burst_s=1))
    async with both.together.serving() as address:
        requests = b"".join(post(call(raw, n)) for n, raw in enumerate(RAWS[:5]))
        answers = await exchange(address, [requests], 5)
    assert [answer.split(b" ", 2)[1] for answer in answers] == [b"200"] * 3 + [b"429"] * 2


async def test_a_refusal_of_all_reaches_everyone() -> None:
    both = Served(RpcConfig(port=0))
    both.backend.refusal = Rejected(Reason.NOT_ACCEPTING, "shutting down")
    async with both.together.serving() as address:
        (answer,) = await exchange(address, [post([call(raw) for raw in RAWS])])
    assert answer.count(b"sequencer is not accepting transactions: shutting down") == len(RAWS)


class Broken:
    """A reader with a defect."""

    def __init__(self, **_: int) -> None: ...

    def read(self, requests: object) -> list[PlainSends | None]:
        raise Defect("a defect")


async def test_a_reader_with_a_defect_costs_nobody_an_answer() -> None:
    backend: MemoryBackend = sample_backend()
    server = RpcServer(RpcConfig(port=0), backend, RpcMetrics(CollectorRegistry()), sends=Broken)
    async with server.serving() as address:
        (answer,) = await exchange(address, [post(call(RAWS[0]))])
    assert b'"result":"0x' in answer
