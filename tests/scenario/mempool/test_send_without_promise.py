"""Who waits for a promise in vain is told that the transaction is in the pool: it is still there after a crash."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from mempool import journaling
from mempool.journal import Journal
from sequencer.chain import ChainRuntime
from sequencer.chain_view import ChainView
from sequencer.config import Settings
from sequencer.consensus.local.files import OS_FILES
from sequencer.core.encoding import data
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.views import TransactionsPooled
from sequencer.rpc.config import RpcConfig
from sequencer.signer.local import LocalSigner
from sequencer.stores import open_stores
from tests.scenario.verification.chains import CHAIN
from tests.unit.rpc.calling import error, result
from tests.unit.rpc.sample_chain import dispatcher
from tests.wallet import Wallet

SIGNER = LocalSigner(b"\x42" * 32)
GENESIS = CHAIN.genesis(
    timestamp=1_700_000_000, seed=bytes(32), sequencers=(SequencerInfo(SIGNER.address, SIGNER.address),)
)
RAW = Wallet(CHAIN.funded[0].private_key, GENESIS.spec.chain_id).sign(to=b"\xaa" * 20, value=1)


@pytest.fixture(autouse=True)
def _a_promise_may_take_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then nothing is written unless somebody asks for it."""
    monkeypatch.setattr(journaling, "_PROMISE_S", 3600.0)


@asynccontextmanager
async def chain_that_promises_nothing(folder: Path, waiters: int = 1_000) -> AsyncIterator[ChainView]:
    """Transactions are admitted, and no block is opened."""
    settings = Settings(rpc=RpcConfig(sync_send_limit=waiters))
    async with open_stores(settings, GENESIS, SIGNER.address, folder, CollectorRegistry(), ()) as stores:
        runtime = ChainRuntime(settings, stores, SIGNER, CollectorRegistry())
        try:
            await runtime.start()
            runtime.pause()
            running = asyncio.ensure_future(runtime.run())
            try:
                yield runtime.view
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
        finally:
            runtime.close()


@asynccontextmanager
async def waiting(chain: ChainView) -> AsyncIterator[None]:
    """Somebody waits for the promise all the while."""
    with chain.subscribe() as events:
        first = asyncio.ensure_future(error(dispatcher(chain), "eth_sendRawTransactionSync", data(RAW), 20_000))
        while not isinstance(await events.next(), TransactionsPooled):
            pass
        yield
        first.cancel()


def left_by_a_crash(folder: Path) -> list[bytes]:
    """The transactions that a process which starts now finds."""
    copy = folder / "left"
    copy.write_bytes((folder / "mempool.journal").read_bytes())
    journal = Journal(copy, OS_FILES)
    try:
        return [record.raw for record in journal.open().records]
    finally:
        journal.close()


async def test_told_that_time_is_up(tmp_path: Path) -> None:
    async with chain_that_promises_nothing(tmp_path) as chain:
        answer = await error(dispatcher(chain), "eth_sendRawTransactionSync", data(RAW), 1)
        assert answer["code"] == 4
        assert left_by_a_crash(tmp_path) == [RAW]


async def test_told_while_another_one_waits_for_it(tmp_path: Path) -> None:
    async with chain_that_promises_nothing(tmp_path) as chain, waiting(chain):
        answer = await error(dispatcher(chain), "eth_sendRawTransactionSync", data(RAW), 1)
        assert answer["code"] == 4
        assert left_by_a_crash(tmp_path) == [RAW]


async def test_told_that_it_is_known_already(tmp_path: Path) -> None:
    async with chain_that_promises_nothing(tmp_path) as chain, waiting(chain):
        answer = await error(dispatcher(chain), "eth_sendRawTransaction", data(RAW))
        assert answer["message"] == "already known"
        assert left_by_a_crash(tmp_path) == [RAW]


async def test_given_a_signed_receipt(tmp_path: Path) -> None:
    """It would speak against the sequencer if the transaction could arrive once more, behind others."""
    async with chain_that_promises_nothing(tmp_path) as chain, waiting(chain):
        receipt = await result(dispatcher(chain), "sequencer_getReceived", data(keccak256(RAW)))
        assert receipt["sequence"] == "0x0"
        assert left_by_a_crash(tmp_path) == [RAW]


async def test_told_that_too_many_wait(tmp_path: Path) -> None:
    async with chain_that_promises_nothing(tmp_path, waiters=0) as chain:
        answer = await error(dispatcher(chain), "eth_sendRawTransactionSync", data(RAW))
        assert "waiting for pre-confirmations already" in answer["message"]
        assert left_by_a_crash(tmp_path) == [RAW]
