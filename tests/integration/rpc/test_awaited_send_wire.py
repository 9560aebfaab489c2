"""A send that waits for its promise on the short way has the answer, the errors and the bounds of the general way."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from sequencer.core.errors import Reason, Rejected
from sequencer.core.flashblock import UNSIGNED, SignedFlashblock
from sequencer.core.views import Preconfirmed
from sequencer.rpc.backend import PromiseCaller
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.service import RpcServer
from tests.integration.rpc.raw_client import exchange
from tests.unit.rpc.sample_chain import sample_backend

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

from execution.evm.native.ingress import NativeSendReader

Address = tuple[str, int]
METHOD = "eth_sendRawTransactionSync"


class Served:
    """Two servers of one chain that has just promised a transaction; ``short`` has the reader."""

    def __init__(self, **limits: int) -> None:
        config = RpcConfig(port=0, **limits)  # type: ignore[arg-type]
        self.backend = sample_backend()
        self.backend.admits_at_once = True
        self.registry = CollectorRegistry()
        self.short = RpcServer(config, self.backend, RpcMetrics(self.registry), sends=NativeSendReader)
        self.general = RpcServer(config, self.backend, RpcMetrics(CollectorRegistry()))
        ((self.hash, promise),) = self.backend.promises.items()
        inclusion = self.backend.inclusion(self.hash)
        assert inclusion is not None
        self.promised = Preconfirmed(inclusion, promise)
        self.raw = inclusion.transaction.raw

    @property
    def signed(self) -> SignedFlashblock:
        return self.promised.preconfirmation.signed

    @property
    def expected(self) -> Preconfirmed:
        """The promise as it is before it is signed."""
        unsigned = replace(self.signed, signature=UNSIGNED)
        return replace(self.promised, preconfirmation=replace(self.promised.preconfirmation, signed=unsigned))

    def request(self, *headers: bytes, serial: object = 1) -> bytes:
        call = {"jsonrpc": "2.0", "id": serial, "method": METHOD, "params": ["0x" + self.raw.hex()]}
        body = json.dumps(call).encode()
        lines = [b"POST / HTTP/1.1", b"Host: localhost", *headers, b"Content-Length: %d" % len(body)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    async def caller(self) -> PromiseCaller:
        """Who waits since a request came in."""
        await self.backend.called.wait()
        return self.backend.callers[self.hash]

    def answered(self, code: int) -> float:
        labels = {"method": METHOD, "code": str(code)}
        return self.registry.get_sample_value("sequencer_rpc_requests_total", labels) or 0.0


@pytest.fixture
async def served() -> AsyncIterator[tuple[Served, Address, Address]]:
    both = Served()
    async with both.short.serving() as short, both.general.serving() as general:
        yield both, short, general


@pytest.mark.parametrize("serial", [1, None, "a-1"])
@pytest.mark.parametrize("prepared", [True, False])
async def test_the_answer_is_that_of_the_general_way_byte_for_byte(
    served: tuple[Served, Address, Address], serial: object, prepared: bool
) -> None:
    both, short, general = served
    asking = asyncio.create_task(exchange(short, [both.request(serial=serial)]))
    caller = await both.caller()
    if prepared:
        caller.expect(both.expected)
        assert caller.confirm(both.signed)
    else:
        assert not caller.confirm(both.signed)
        caller.resolve(both.promised)
    assert await asking == await exchange(general, [both.request(serial=serial)])
    assert (both.answered(0), both.backend.callers) == (1, {})


async def test_what_was_expected_of_another_flashblock_is_not_signed(served: tuple[Served, Address, Address]) -> None:
    both, short, general = served
    asking = asyncio.create_task(exchange(short, [both.request()]))
    caller = await both.caller()
    caller.expect(both.expected)
    other = replace(both.signed, flashblock=replace(both.signed.flashblock, index=7))
    assert not caller.confirm(other)
    caller.resolve(both.promised)
    assert await asking == await exchange(general, [both.request()])


async def test_nothing_leaves_before_the_signature(served: tuple[Served, Address, Address]) -> None:
    both, short, _ = served
    reader, writer = await asyncio.open_connection(*short)
    writer.write(both.request())
    caller = await both.caller()
    caller.expect(both.expected)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await reader.read(1)
    assert caller.confirm(both.signed)
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def test_a_transaction_that_is_dropped_is_explained(served: tuple[Served, Address, Address]) -> None:
    both, short, _ = served
    asking = asyncio.create_task(exchange(short, [both.request()]))
    (await both.caller()).fail(Rejected(Reason.REPLACED))
    (answer,) = await asking
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == -32000
    assert both.answered(-32000) == 1


async def test_too_late_is_error_4_and_the_transaction_is_durable_by_then() -> None:
    both = Served(sync_timeout_ms=1)
    async with both.short.serving() as short:
        (answer,) = await exchange(short, [both.request()])
    error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert (error["code"], error["data"]) == (4, "0x" + both.hash.hex())
    assert both.hash in both.backend.persisted
    assert both.backend.callers == {}


async def test_a_client_that_leaves_waits_no_more(served: tuple[Served, Address, Address]) -> None:
    both, short, _ = served
    _, writer = await asyncio.open_connection(*short)
    writer.write(both.request())
    await both.caller()
    writer.transport.abort()
    await both.backend.forgotten.wait()
    assert both.answered(0) == 0


async def test_requests_sent_ahead_wait_for_it(served: tuple[Served, Address, Address]) -> None:
    both, short, _ = served
    after = b'{"jsonrpc":"2.0","id":2,"method":"eth_chainId"}'
    ahead = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(after), after)
    asking = asyncio.create_task(exchange(short, [both.request() + ahead], 2))
    (await both.caller()).resolve(both.promised)
    answers = await asking
    assert [json.loads(answer.partition(b"\r\n\r\n")[2])["id"] for answer in answers] == [1, 2]


async def test_a_stop_waits_for_those_who_wait() -> None:
    both = Served()
    async with both.short.serving() as short:
        asking = asyncio.create_task(exchange(short, [both.request()]))
        caller = await both.caller()
        asyncio.get_running_loop().call_soon(caller.resolve, both.promised)
    (answer,) = await asking
    assert b'"preconfirmation":' in answer


async def test_a_long_answer_is_compressed_for_those_who_take_it() -> None:
    both = Served(gzip_threshold_bytes=1_000)
    async with both.short.serving() as short:
        asking = asyncio.create_task(exchange(short, [both.request(b"Accept-Encoding: gzip")]))
        (await both.caller()).resolve(both.promised)
        (answer,) = await asking
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert b'"preconfirmation":' in gzip.decompress(body)


async def test_an_answer_over_the_limit_says_so() -> None:
    both = Served(response_limit_bytes=1_500)
    async with both.short.serving() as short:
        asking = asyncio.create_task(exchange(short, [both.request()]))
        caller = await both.caller()
        caller.expect(both.expected)
        assert not caller.confirm(both.signed)
        caller.resolve(both.promised)
        (answer,) = await asking
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == -32003


async def test_more_than_may_wait_are_refused_as_on_the_general_way() -> None:
    both = Served(sync_send_limit=1)
    async with both.short.serving() as short:
        asking = asyncio.create_task(exchange(short, [both.request()]))
        caller = await both.caller()
        (refused,) = await exchange(short, [both.request(serial=2)])
        caller.resolve(both.promised)
        await asking
    assert json.loads(refused.partition(b"\r\n\r\n")[2])["error"]["code"] == -32005


async def test_the_rate_weighs_it_as_the_general_way_does() -> None:
    both = Served(rate_limit_per_ip=15, rate_burst_s=1)
    async with both.short.serving() as short:
        asking = asyncio.create_task(exchange(short, [both.request() + both.request(serial=2)], 2))
        (await both.caller()).resolve(both.promised)
        answers = await asking
    assert [answer.split(b" ", 2)[1] for answer in answers] == [b"200", b"429"]


async def test_a_defect_costs_its_answer_and_nothing_else(
    served: tuple[Served, Address, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    both, short, _ = served
    asking = asyncio.create_task(exchange(short, [both.request()]))
    caller = await both.caller()
    with monkeypatch.context() as broken:
        broken.setattr("sequencer.rpc.awaited_send.promised_receipt", None)
        caller.expect(both.expected)
        assert not caller.confirm(both.signed)
        caller.resolve(both.promised)
    (answer,) = await asking
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == -32603


async def test_what_cannot_be_admitted_at_once_is_met_again_on_the_general_way(
    served: tuple[Served, Address, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    both, short, general = served
    monkeypatch.setattr(both.backend, "submit_awaited", None)
    assert await exchange(short, [both.request()]) == await exchange(general, [both.request()])
    assert both.answered(0) == 1
