"""A running node compares what a follower saw signed with its own chain and with DA, and acts on what it proves."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from aiohttp import web

from sequencer.beacon import evidence_json
from sequencer.beacon.evidence_json import promise_json
from sequencer.core import preconf_json
from sequencer.core.eip712 import Domain
from sequencer.core.evidence import Fault, verify
from sequencer.core.flashblock import Flashblock
from tests.devnet import Devnet, RpcFailure, running
from tests.unit.evidence.histories import flashblock, sign_promise


class Followers:
    """Offers ``newFlashblocks`` and shows whatever the test says was seen."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._connections = 0
        self._shown = threading.Event()
        self.port = 0

    def show(self, event: dict[str, Any]) -> None:
        self._shown.clear()
        self._loop.call_soon_threadsafe(self._queue.put_nowait, event)
        assert self._shown.wait(30), "the node does not listen"

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked = await socket.receive_json()
        await socket.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"})
        self._connections += 1
        while (event := await self._queue.get()) is not None:
            params = {"subscription": "0x1", "result": event}
            await socket.send_json({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})
            self._shown.set()
        return socket

    async def _stop(self, runner: web.AppRunner) -> None:
        for _ in range(self._connections):
            self._queue.put_nowait(None)
        await runner.cleanup()

    @contextmanager
    def serving(self) -> Iterator[str]:
        async def start() -> web.AppRunner:
            app = web.Application()
            app.router.add_get("/", self._serve)
            runner = web.AppRunner(app, shutdown_timeout=0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            return runner

        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            runner = asyncio.run_coroutine_threadsafe(start(), self._loop).result(30)
            try:
                yield f"ws://127.0.0.1:{self.port}/"
            finally:
                asyncio.run_coroutine_threadsafe(self._stop(runner), self._loop).result(30)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()


def ready(node: Devnet) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(node.info["metricsUrl"] + "/readyz", timeout=30) as answer:
            body: dict[str, Any] = json.load(answer)
    except HTTPError as refusal:
        with refusal:
            body = json.load(refusal)
    return body


def promised(node: Devnet, count: int) -> list[dict[str, Any]]:
    wallet = node.wallet()
    receipts = [
        node.rpc("eth_sendRawTransactionSync", "0x" + wallet.sign(to=bytes([7]) * 20, value=1).hex())
        for _ in range(count)
    ]
    return [receipt["preconfirmation"] for receipt in receipts]


def another(world: tuple[Flashblock, Domain], kind: Fault) -> Flashblock:
    """One at the place of a promise, or one that no batch will have."""
    last, domain = world
    if kind is Fault.E1:
        return flashblock(block_number=last.block_number, index=last.index, parent=domain.genesis_hash)
    return flashblock(block_number=last.block_number, index=99, parent=last.struct_hash)


@pytest.mark.parametrize("kind", [Fault.E1, Fault.E2])
def test_evidence_against_its_own_key_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Fault) -> None:
    followers = Followers()
    with followers.serving() as url:
        monkeypatch.setenv("SEQUENCER_EVIDENCE__WATCH", url)
        monkeypatch.setenv("SEQUENCER_EVIDENCE__DA_POLL_MS", "100")
        folder = tmp_path / "node"
        with running(folder, "--block-time", "100ms") as node:
            promises = promised(node, 3)
            for promise in promises:  # what everybody saw
                followers.show(promise)
            assert ready(node)["reasons"] == {}
            last = preconf_json.from_json(promises[-1])
            other = another((last.signed.flashblock, last.domain), kind)
            key = bytes.fromhex((folder / "sequencer.key").read_text().strip().removeprefix("0x"))
            followers.show(promise_json(sign_promise(key, other, last.domain)))
            while "halted" not in ready(node)["reasons"]:
                assert node.process.poll() is None, node.logs()[-2000:]
            reason = ready(node)["reasons"]["halted"]
            (file,) = (folder / "evidence").glob("*.json")
            assert reason == f"evidence: a fault of this node's own key is proven ({kind.name}): {file}"
            verdict = verify(evidence_json.load(file.read_text()))
            assert verdict.fault is kind
            assert verdict.offender is not None
            assert "0x" + verdict.offender.hex() == node.info["sequencer"].lower()
            with pytest.raises(RpcFailure, match="not accepting"):
                promised(node, 1)
            ledger = node.rpc("sequencer_getPromiseLedger")
            assert int(ledger["broken"], 16) == other.transaction_count
            assert int(ledger["issued"], 16) == 3
            assert node.stop() == 0
        with running(folder, "--block-time", "100ms") as node:
            assert ready(node)["reasons"] == {"halted": reason}
            assert int(node.rpc("sequencer_getPromiseLedger")["broken"], 16) == other.transaction_count
