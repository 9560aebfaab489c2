"""The server over real sockets: what HTTP clients, browsers and attackers send."""

import asyncio
import gzip
import time

import orjson
import pytest
from aiohttp import web

from tests.integration.rpc.raw_client import parse_response, serving, until

CHAIN_ID = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'


async def test_post_is_answered() -> None:
    async with serving() as server:
        status, headers, body = await server.post(CHAIN_ID)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert orjson.loads(body) == {"jsonrpc": "2.0", "id": 1, "result": "0x1cbd"}


async def test_the_same_chain_answers_under_its_id() -> None:
    async with serving() as server:
        request = (
            b"POST /chain/%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 47\r\n\r\n" + CHAIN_ID
        )
        assert b"0x1cbd" in await server.send(request % 7357)
        assert b"404" in await server.send(request % 1)


async def test_two_requests_share_a_connection() -> None:
    async with serving() as server:
        keep = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 47\r\n\r\n" + CHAIN_ID
        last = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 47\r\n\r\n" + CHAIN_ID
        assert (await server.send(keep + last)).count(b'"0x1cbd"') == 2


async def test_a_client_that_asks_before_it_sends_the_body_is_told_to_go_on() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 47\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(CHAIN_ID)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_the_software_names_itself() -> None:
    async with serving() as server:
        _, _, body = await server.post(b'{"jsonrpc":"2.0","id":1,"method":"web3_clientVersion"}')
        assert orjson.loads(body)["result"].startswith("rollup-sequencer/v")


async def test_notification_has_no_body() -> None:
    async with serving() as server:
        status, _, body = await server.post(b'{"jsonrpc":"2.0","method":"eth_chainId"}')
        assert (status, body) == (204, b"")


@pytest.mark.parametrize(
    ("body", "code"), [(b"", -32700), (b"{", -32700), (b"\xff\xfe", -32700), (b"[" * 5_000, -32700), (b"[]", -32600)]
)
async def test_broken_json_is_answered_in_json(body: bytes, code: int) -> None:
    async with serving() as server:
        status, _, answer = await server.post(body)
        assert status == 200
        assert orjson.loads(answer)["error"]["code"] == code


async def test_unknown_method_is_http_200() -> None:
    async with serving() as server:
        status, _, answer = await server.post(b'{"jsonrpc":"2.0","id":"a","method":"anvil_nodeInfo","params":null}')
        assert status == 200
        assert orjson.loads(answer) == {
            "jsonrpc": "2.0",
            "id": "a",
            "error": {"code": -32601, "message": "the method anvil_nodeInfo does not exist/is not available"},
        }


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8545", "127.0.0.1:8545", "[::1]:8545", "[::1]", "10.1.2.3", "LOCALHOST"]
)
async def test_own_hosts_are_served(host: str) -> None:
    async with serving() as server:
        status, _, _ = await server.request("GET / HTTP/1.1", f"Host: {host}")
        assert status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8545", "127.0.0.1.nip.io"])
async def test_foreign_hosts_are_refused(host: str) -> None:
    async with serving() as server:
        status, _, body = await server.request("GET / HTTP/1.1", f"Host: {host}")
        assert (status, body) == (403, b"invalid host specified\n")


async def test_a_configured_host_is_served() -> None:
    async with serving(allowed_hosts=("rpc.example",)) as server:
        assert (await server.request("GET / HTTP/1.1", "Host: rpc.example:443"))[0] == 200


async def test_preflight_of_a_browser_wallet() -> None:
    async with serving() as server:
        status, headers, body = await server.request(
            "OPTIONS / HTTP/1.1",
            "Origin: https://app.example",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: content-type",
        )
        assert (status, body) == (204, b"")
        assert headers["access-control-allow-origin"] == "*"
        assert "POST" in headers["access-control-allow-methods"]
        assert "content-type" in headers["access-control-allow-headers"]


async def test_only_configured_origins_may_read() -> None:
    async with serving(cors_origins=("https://app.example",)) as server:
        _, headers, _ = await server.post(CHAIN_ID, "Origin: https://app.example")
        assert headers["access-control-allow-origin"] == "https://app.example"
        assert "Origin" in headers["vary"]
        _, headers, _ = await server.post(CHAIN_ID, "Origin: https://evil.example")
        assert "access-control-allow-origin" not in headers
        _, headers, _ = await server.request("OPTIONS / HTTP/1.1", "Origin: https://evil.example")
        assert "access-control-allow-methods" not in headers


async def test_large_answers_are_compressed_for_those_who_accept_it() -> None:
    request = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x1",true]}'
    async with serving(gzip_threshold_bytes=1_000) as server:
        _, plain_headers, plain = await server.post(request)
        _, headers, packed = await server.post(request, "Accept-Encoding: gzip, deflate")
        assert "content-encoding" not in plain_headers
        assert headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed) == plain
        _, headers, _ = await server.post(CHAIN_ID, "Accept-Encoding: gzip")
        assert "content-encoding" not in headers


async def test_compressed_requests_are_refused() -> None:
    async with serving() as server:
        status, _, _ = await server.post(gzip.compress(b" " * 1_000_000), "Content-Encoding: gzip")
        assert status == 415


async def test_oversized_body_is_refused_before_it_is_read() -> None:
    async with serving(body_limit_bytes=1_000) as server:
        header = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
        assert parse_response(await server.send(header))[0] == 413


async def test_oversized_chunked_body_is_refused() -> None:
    async with serving(body_limit_bytes=1_000) as server:
        chunk = b"200\r\n" + b" " * 0x200 + b"\r\n"
        request = (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 10 + b"0\r\n\r\n"
        )
        assert parse_response(await server.send(request))[0] == 413


async def test_half_a_header_is_closed_in_time() -> None:
    async with serving(header_timeout_s=0.2) as server:
        began = time.monotonic()
        status, _, _ = parse_response(await server.send(b"POST / HTTP/1.1\r\nHost: local"))
        assert status == 408
        assert time.monotonic() - began < 5
        assert server.metric("sequencer_rpc_refused_connections_total", reason="header_timeout") == 1


async def test_silence_is_closed_in_time() -> None:
    async with serving(header_timeout_s=0.2) as server:
        assert (await server.send(b"")).startswith(b"HTTP/1.1 408")


async def test_half_a_body_is_closed_in_time() -> None:
    async with serving(body_timeout_s=0.2) as server:
        request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 47\r\n\r\n" + CHAIN_ID[:20]
        assert parse_response(await server.send(request))[0] == 408


async def test_a_connection_left_idle_is_closed() -> None:
    async with serving(idle_timeout_s=0.2) as server:
        request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 47\r\n\r\n" + CHAIN_ID
        answer = await server.send(request)
        assert answer.count(b"HTTP/1.1") == 1
        assert answer.endswith(b'"0x1cbd"}')


async def test_half_a_header_after_a_request_is_closed() -> None:
    async with serving(header_timeout_s=0.2) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 47\r\n\r\n" + CHAIN_ID)
        await reader.readuntil(b"}")
        writer.write(b"POST / HT")
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_half_open_connections_make_room_for_users() -> None:
    """A table full of connections that never send anything does not keep a user out."""
    async with serving(connection_limit=20) as server:
        idle = [await asyncio.open_connection(server.host, server.port) for _ in range(60)]
        status, _, body = await server.post(CHAIN_ID)
        assert (status, orjson.loads(body)["result"]) == (200, "0x1cbd")
        assert server.metric("sequencer_rpc_connections") <= 20
        for _, writer in idle:
            writer.close()


async def test_one_address_gets_no_more_than_its_share() -> None:
    async with serving(connection_limit_per_ip=2) as server:
        held = [await asyncio.open_connection(server.host, server.port) for _ in range(2)]
        assert parse_response(await server.send(b""))[0] == 503
        for _, writer in held:
            writer.close()


async def test_an_answer_left_unread_is_cut_off() -> None:
    request = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x1",true]}'
    batch = b"[" + b",".join([request] * 1_000) + b"]"
    async with serving(write_timeout_s=0.2, batch_limit=1_000, batch_cost_limit=100_000) as server:
        _, writer = await asyncio.open_connection(server.host, server.port, limit=1_000)
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(batch)}\r\n\r\n".encode()
        writer.write(head + batch)
        await writer.drain()
        await until(lambda: server.metric("sequencer_rpc_refused_connections_total", reason="write_timeout"))
        await until(lambda: not server.metric("sequencer_rpc_connections"))
        writer.close()


async def test_mounted_routes_answer() -> None:
    async def livez(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="ok\n")

    async with serving({"/livez": livez}) as server:
        assert (await server.request("GET /livez HTTP/1.1"))[2] == b"ok\n"
        assert (await server.request("DELETE /livez HTTP/1.1"))[0] == 405
        assert (await server.request("GET /nothing HTTP/1.1"))[0] == 404
        assert (await server.request("DELETE / HTTP/1.1"))[0] == 405


async def test_garbage_instead_of_http() -> None:
    async with serving() as server:
        assert (await server.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")).startswith(b"HTTP/1.0 400")
        assert (await server.post(CHAIN_ID))[0] == 200


BATCH = b"[" + b",".join([CHAIN_ID] * 5) + b"]"


@pytest.mark.parametrize("general", [(), ("Expect:",)], ids=["short way", "general way"])
async def test_an_address_that_asks_too_much_is_told_when_to_come_again(general: tuple[str, ...]) -> None:
    async with serving(rate_limit_per_ip=1, rate_burst_s=10) as server:
        for _ in range(2):
            assert (await server.post(BATCH, *general))[0] == 200
        status, headers, body = await server.post(CHAIN_ID, *general)
        assert (status, headers["retry-after"]) == (429, "1")
        answer = orjson.loads(body)
        assert (answer["id"], answer["error"]["code"]) == (1, -32005)
        assert answer["error"]["message"].startswith("rate limit exceeded: try again in ")


@pytest.mark.parametrize("general", [(), ("Expect:",)], ids=["short way", "general way"])
async def test_behind_a_trusted_proxy_each_user_has_a_rate(general: tuple[str, ...]) -> None:
    async with serving(rate_limit_per_ip=1, rate_burst_s=5, trusted_proxies=("127.0.0.1",)) as server:
        for user in ("192.0.2.1", "192.0.2.2"):
            who = f"X-Forwarded-For: 192.0.2.1, {user}"
            assert (await server.post(BATCH, who, *general))[0] == 200
            assert (await server.post(BATCH, who, *general))[0] == 429


async def test_requests_sent_ahead_do_not_pile_up() -> None:
    async with serving(body_limit_bytes=4_096) as server:
        server.backend.hold = asyncio.Event()
        waits = b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}]}'
        reader, writer = await asyncio.open_connection(server.host, server.port)
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(waits) + waits)
        padded = CHAIN_ID + b" " * 4_000
        writer.write((head % len(padded) + padded) * 5_000)  # more than the sockets between the two hold
        await until(lambda: server.backend.calls)
        assert await _settled(writer) > 0, "the server takes no more: the rest stays on this side"
        server.backend.hold.set()
        answers = 0
        while answers < 5_001:
            answers += (await reader.read(1 << 16)).count(b'"result"')
        writer.close()


async def _settled(writer: asyncio.StreamWriter) -> int:
    """How many bytes are still to be sent once the other side reads no more, which shows only in that none leaves."""
    before, now = -1, writer.transport.get_write_buffer_size()
    while before != now:
        await asyncio.sleep(0.05)
        before, now = now, writer.transport.get_write_buffer_size()
    return now
