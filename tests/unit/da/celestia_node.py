"""The fake celestia-node wired straight into the adapter: the same bytes as over a socket, and no time passes."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from da.celestia import namespace
from da.celestia.config import CelestiaConfig
from da.celestia.layer import CelestiaLayer
from da.celestia.rpc import NodeRpc
from da.http import HttpClient
from sequencer.core.ports import BlobRef
from sequencer.testing.celestia import WRITER, FakeCelestia, Fault

NAMESPACE = namespace.from_name(b"sequencer")
OTHER = namespace.from_name(b"somebody")


class Wire(httpx.AsyncBaseTransport):
    """The adapter's connection to a fake node."""

    def __init__(self, node: FakeCelestia) -> None:
        self.node = node
        self.refused = False
        """While true nobody listens."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.refused:
            raise httpx.ConnectError("connection refused")
        header = request.headers.get("authorization")
        answer = await self.node.answer(await request.aread(), header.removeprefix("Bearer ") if header else None)
        if answer.body is None:
            raise httpx.ReadTimeout("no answer")
        return httpx.Response(answer.status, content=answer.body)


@asynccontextmanager
async def layer_on(
    node: FakeCelestia, folder: Path, config: CelestiaConfig | None = None, *, token: str = WRITER, network: str = ""
) -> AsyncIterator[CelestiaLayer]:
    """A layer that talks to ``node``."""
    token_file = folder / "token"
    token_file.write_text(token + "\n")
    config = config or CelestiaConfig()
    async with HttpClient("the celestia-node", config.max_response_bytes, Wire(node)) as http:
        yield CelestiaLayer(config, NAMESPACE, NodeRpc(http, config.url, token_file), network=network)


class CelestiaTwin(CelestiaLayer):
    """A layer and its fake node as one object, with what worlds do to a layer."""

    def __init__(self, blob_size_bytes: int = 1_500_000) -> None:
        self.node = FakeCelestia()
        self._wire = Wire(self.node)
        config = CelestiaConfig(blob_size_bytes=max(blob_size_bytes, 1024), max_tx_bytes=max(blob_size_bytes, 4096))
        http = HttpClient("the celestia-node", config.max_response_bytes)
        http._client = httpx.AsyncClient(transport=self._wire)
        rpc = NodeRpc(http, config.url, None)
        rpc._token = WRITER
        super().__init__(config, NAMESPACE, rpc)

    def plan(self, faults: Iterable[Fault]) -> None:
        self.node.plan(faults)

    def advance(self) -> None:
        self.node.advance()

    def inject(self, blob: bytes) -> None:
        self.node.inject(NAMESPACE, blob or b"\xff")

    def reorg(self, depth: int) -> None:
        """A height is final as soon as it exists."""

    def contents(self) -> list[tuple[BlobRef, bytes]]:
        return [(BlobRef("celestia", height, blob.commitment), blob.data) for height, blob in self.node.contents()]

    @property
    def down(self) -> bool:
        return self.node.down

    @down.setter
    def down(self, down: bool) -> None:
        self.node.down = down
