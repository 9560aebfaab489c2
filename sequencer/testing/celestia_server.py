"""The celestia-node of ``sequencer.testing.celestia`` on a port: ``python -m sequencer.testing.celestia_server``."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from sequencer.testing.celestia import WRITER, FakeCelestia

_MAX_REQUEST_BYTES = 17 * 1024 * 1024


@asynccontextmanager
async def serving(node: FakeCelestia, port: int = 0) -> AsyncIterator[str]:
    """The node over HTTP on a loopback port (0: any free one); gives its URL."""

    async def post(request: web.Request) -> web.StreamResponse:
        header = request.headers.get("authorization")
        answer = await node.answer(await request.read(), header.removeprefix("Bearer ") if header else None)
        if answer.body is None:
            await asyncio.sleep(3600)  # silence, until the client hangs up
        return web.Response(status=answer.status or 200, body=answer.body, content_type="application/json")

    application = web.Application(client_max_size=_MAX_REQUEST_BYTES)
    application.router.add_post("/", post)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _main(port: int, block_time_s: float) -> None:
    node = FakeCelestia(instant=False)
    async with serving(node, port) as url:
        print(f"{url} {WRITER}", flush=True)  # noqa: T201 - this is a program
        while True:
            await asyncio.sleep(block_time_s)
            await node.tick()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=26658)
    parser.add_argument("--block-time", type=float, default=1.0, metavar="SECONDS")
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.port, arguments.block_time))
