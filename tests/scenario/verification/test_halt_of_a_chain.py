"""A running chain whose engine makes a false receipt: it stops promising, says where, and posts nothing of it."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from da.config import BatcherConfig
from sequencer.chain import ChainRuntime
from sequencer.config import Settings
from sequencer.core.errors import Reason, Rejected
from sequencer.core.membership import SequencerInfo
from sequencer.core.receipt import ExecutedOutcome, Outcome, outcome
from sequencer.core.transaction import Transaction
from sequencer.payload.config import PayloadConfig
from sequencer.signer.local import LocalSigner
from sequencer.stores import open_stores
from tests.scenario.verification.chains import CHAIN, Double
from tests.wallet import Wallet

KEY = LocalSigner(b"\x42" * 32)
GENESIS = CHAIN.genesis(
    timestamp=1_700_000_000,
    seed=bytes(32),
    sequencers=(SequencerInfo(KEY.address, KEY.address),),  # type: ignore[arg-type]
)
SETTINGS = Settings(
    block=PayloadConfig(block_time_ms=50, flashblock_interval_ms=2), batch=BatcherConfig(max_age_ms=50, min_age_ms=50)
)
VICTIM = b"\xee" * 20


class _Liar(Double):
    """Says that a transfer to ``VICTIM`` failed."""

    def apply(self, transactions: Sequence[Transaction]) -> list[Outcome | Rejected]:
        answers = self._engine.apply(transactions)
        return [_failed(a) if t.to == VICTIM else a for t, a in zip(transactions, answers, strict=True)]


def _failed(answer: Outcome | Rejected) -> ExecutedOutcome:
    assert not isinstance(answer, Rejected)
    return outcome(2, False, answer.gas_used, answer.cumulative_gas_used, None, ())


async def _promise(runtime: ChainRuntime, wallet: Wallet, to: bytes) -> bool:
    promised = await runtime.view.wait_preconfirmed(await runtime.view.submit(wallet.sign(to=to, value=1)), 20)
    return promised is not None


def test_a_difference_stops_promising_and_no_restart_goes_on(tmp_path: Path) -> None:
    wallet = Wallet(CHAIN.funded[0].private_key, GENESIS.spec.chain_id)

    async def first_life() -> str:
        async with open_stores(SETTINGS, GENESIS, KEY.address, tmp_path, CollectorRegistry(), ()) as opened:
            stores = replace(opened, engine=_Liar(opened.engine))
            runtime = ChainRuntime(SETTINGS, stores, KEY, CollectorRegistry())
            try:
                await runtime.start()
                running = asyncio.create_task(runtime.run())
                assert await _promise(runtime, wallet, b"\xaa" * 20)
                assert await _promise(runtime, wallet, VICTIM)
                reason = await runtime.halt.wait()
                false_block = int(reason.split("block ")[1].split(",")[0])
                with pytest.raises(Rejected) as refused:
                    await _promise(runtime, wallet, b"\xbb" * 20)
                assert refused.value.reason is Reason.NOT_ACCEPTING
                assert not running.done(), "reads go on"
                assert runtime.view.heads.safe.number < false_block
                latest = runtime._da.latest
                assert latest is None or latest.last_block < false_block
                await runtime.drain(1)
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
                assert runtime.view.promise_ledger().issued == 2, "nothing more until the very end"
                return reason
            finally:
                runtime.close()

    async def second_life() -> None:
        async with open_stores(SETTINGS, GENESIS, KEY.address, tmp_path, CollectorRegistry(), ()) as stores:
            runtime = ChainRuntime(SETTINGS, stores, KEY, CollectorRegistry())
            try:
                await runtime.start()
                assert runtime.halt.reason == reason
                with pytest.raises(Rejected):
                    await runtime.view.submit(wallet.sign(to=b"\xbb" * 20, value=1))
            finally:
                runtime.close()

    async def within(seconds: float) -> None:
        nonlocal reason
        async with asyncio.timeout(seconds):
            reason = await first_life()

    reason = ""
    asyncio.run(within(15))
    assert re.match(r"verification: block \d+, position \d: outcomeHash is 0x", reason)
    assert (tmp_path / "halted").read_text().strip() == reason
    asyncio.run(second_life())
