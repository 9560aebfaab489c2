"""Everything hostile at once against a real node, while an ordinary user goes on sending.

What bounds the user's latency is the node's own clock: ``eth_sendRawTransactionSync`` answers with error 4 when the
promise does not come within two seconds.
"""

import asyncio
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.devnet import Devnet, running

HALF_OPEN = 5_000
SENT = 60
ROUNDS = 8
EMIT = bytes.fromhex("5f355b80156012575f5fa0600190036002565b00")
"""A contract that emits as many empty logs as the first word of its call data says."""
EMITTED = 1_500
"""Logs of one transaction."""


@contextmanager
def half_open_sockets(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections that each sent the beginning of a request and then nothing more."""
    sockets = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            connection.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le")
            sockets.append(connection)
        yield sockets
    finally:
        for connection in sockets:
            connection.close()


@pytest.fixture
def many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = HALF_OPEN + 512
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"this test opens {needed} files, and the hard limit here is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def post(session: aiohttp.ClientSession, url: str, body: bytes) -> Any:
    async with session.post(url, data=body, headers={"content-type": "application/json"}) as response:
        return json.loads(await response.read())


def call(method: str, *params: Any, request_id: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def fill_with_logs(devnet: Devnet) -> int:
    """Sealed blocks with many logs; how many."""
    wallet = devnet.wallet(2)
    init_code = bytes.fromhex(f"61{len(EMIT):04x}80600a5f395ff3") + EMIT
    made = devnet.rpc("eth_sendRawTransactionSync", "0x" + wallet.sign(data=init_code, gas_limit=200_000).hex(), 30_000)
    emitter = bytes.fromhex(made["contractAddress"][2:])
    for _ in range(4):
        raw = wallet.sign(to=emitter, data=EMITTED.to_bytes(32, "big"), gas_limit=2_000_000)
        receipt = devnet.rpc("eth_sendRawTransactionSync", "0x" + raw.hex(), 30_000)
        assert len(receipt["logs"]) == EMITTED
    devnet.wait_sealed(receipt["transactionHash"])
    return 4 * EMITTED


async def send_steadily(devnet: Devnet) -> list[Any]:
    """The answers to an ordinary user's transactions, one after the other."""
    wallet = devnet.wallet(1)
    answers = []
    async with aiohttp.ClientSession() as session:
        for _ in range(SENT):
            raw = "0x" + wallet.sign(to=bytes(19) + b"\x77", value=1).hex()
            request = call("eth_sendRawTransactionSync", raw)
            answers.append(await post(session, devnet.url, json.dumps(request).encode()))
    return answers


async def batches(devnet: Devnet) -> None:
    body = json.dumps([call("eth_getBalance", "0x" + "77" * 20, request_id=n) for n in range(1_000)]).encode()
    async with aiohttp.ClientSession() as session:
        for _ in range(ROUNDS):
            answers = await post(session, devnet.url, body)
            assert sorted(answer["id"] for answer in answers) == list(range(1_000))
            assert all("result" in answer for answer in answers)


async def garbage(devnet: Devnet) -> None:
    ten_levels = b"[" * 10 + b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}' + b"]" * 10
    deep = b"[" * 100_000 + b"]" * 100_000
    wide = b"[" + b",".join([b"[[[[[[[[[[]]]]]]]]]]"] * 900) + b"]"
    async with aiohttp.ClientSession() as session:
        for _ in range(ROUNDS):
            for body, code in ((ten_levels, -32600), (deep, -32700), (wide, -32600), (b'{"a":' * 10, -32700)):
                answer = await post(session, devnet.url, body)
                first = answer[0] if isinstance(answer, list) else answer
                assert first["error"]["code"] == code


async def all_logs(devnet: Devnet, count: int) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(ROUNDS):
            body = json.dumps(call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})).encode()
            assert len((await post(session, devnet.url, body))["result"]) == count


async def test_a_sender_is_served_through_a_flood(tmp_path: Path, many_files: None) -> None:
    with running(tmp_path / "node") as devnet:
        count = fill_with_logs(devnet)
        port = int(devnet.url.rsplit(":", 1)[1])
        with half_open_sockets(port, HALF_OPEN):
            answers, *_ = await asyncio.gather(
                send_steadily(devnet),
                batches(devnet),
                garbage(devnet),
                all_logs(devnet, count),
                all_logs(devnet, count),
            )
        assert [answer.get("error") for answer in answers] == [None] * SENT
        assert all(answer["result"]["status"] == "0x1" for answer in answers)
        assert devnet.process.poll() is None
        assert int(devnet.rpc("eth_getBalance", "0x" + "00" * 19 + "77", "latest"), 16) == SENT
