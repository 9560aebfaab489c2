"""A running server and raw sockets to it, so that tests can send what no HTTP library would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from sequencer.rpc.config import RpcConfig
from sequencer.rpc.http import Route
from sequencer.rpc.metrics import RpcMetrics
from sequencer.rpc.service import RpcServer
from sequencer.testing.backend import MemoryBackend
from tests.unit.rpc.sample_chain import sample_backend


@dataclass(frozen=True)
class Running:
    """A server under test."""

    host: str
    port: int
    backend: MemoryBackend
    registry: CollectorRegistry

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    async def send(self, request: bytes) -> bytes:
        """Everything the server answers until it closes the connection."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def post(self, body: bytes, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """One POST on a connection of its own."""
        lines = [f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}"]
        return parse_response(await self.send("\r\n".join([*lines, *headers, "", ""]).encode() + body))

    async def request(self, line: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """One request without a body."""
        named = [] if any(header.startswith("Host:") for header in headers) else ["Host: localhost"]
        return parse_response(
            await self.send("\r\n".join([line, *named, "Connection: close", *headers, "", ""]).encode())
        )


async def exchange(address: tuple[str, int], pieces: list[bytes], responses: int = 1) -> list[bytes]:
    """So many whole responses to what is sent in ``pieces`` on one connection, which is kept alive."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return [await _read_response(reader) for _ in range(responses)]
    finally:
        writer.close()
        await writer.wait_closed()


async def _read_response(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    assert len(lengths) <= 1
    return head + (await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b"")


async def until(condition: Callable[[], object]) -> None:
    """Returns in the turn of the loop in which the condition holds; raises ``TimeoutError`` after half a minute."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - any condition, which has no event of its own
            await asyncio.sleep(0)


def parse_response(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status.split(" ")[1]), headers, body


@asynccontextmanager
async def serving(routes: dict[str, Route] | None = None, **settings: Any) -> AsyncIterator[Running]:
    """A server over the sample chain on a free port."""
    backend = sample_backend()
    registry = CollectorRegistry()
    config = RpcConfig(port=0, **settings)
    server = RpcServer(config, backend, RpcMetrics(registry), routes=routes)
    async with server.serving() as (host, port):
        yield Running(host, port, backend, registry)
