"""What a user was told was accepted is there after the process died, in its old order and by the rules of today."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from prometheus_client import CollectorRegistry

from mempool import journaling
from mempool.bundles import ORIGIN_BUNDLE, BundleTerms
from mempool.config import MempoolConfig
from mempool.ingress import Submission
from mempool.journal import Journal
from mempool.journaling import JournalWriter
from mempool.metrics import MempoolMetrics
from mempool.service import Mempool
from sequencer.consensus.local.files import OS_FILES
from sequencer.core.errors import Reason, Rejected, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.core.types import ZERO_HASH
from tests.scenario.mempool.test_mempool_service import Chain, CountingRecovery
from tests.unit.mempool.makers import CHAIN_ID, GWEI, RULES, TARGET, account, private_key, sender_of, signed, transfer


class Process:
    """One life of a node's pool over a journal that outlives it."""

    def __init__(self, path: Path, journal_thread: Executor | None = None, **limits: int) -> None:
        self.chain = Chain()
        self.recovery = CountingRecovery()
        self.registry = CollectorRegistry()
        self.now_ms = 1_000_000
        self.journal = Journal(path, OS_FILES)
        self.pool = Mempool(
            replace(MempoolConfig(), **limits),
            self.recovery,
            self.chain.accounts,
            lambda: RULES,
            lambda: self.now_ms,
            MempoolMetrics(self.registry),
            self.journal,
            journal_thread,
        )
        self.changed = asyncio.Event()
        self.pool.on_pooled = lambda _pooled, _executable: self.changed.set()

    def ready(self) -> list[PooledTransaction]:
        return list(self.pool.ready().heads())


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    task = asyncio.ensure_future(process.pool.run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(process: Process, count: int) -> None:
    """Until so many transactions are in the pool."""
    while sum(process.pool.counts()) < count:
        process.changed.clear()
        await process.changed.wait()


async def test_accepted_transactions_come_back_with_their_arrivals(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as first:
        for key in (3, 1, 2):
            first.now_ms += 10
            await first.pool.submit(signed(key))
        before = first.ready()
        (tmp_path / "crashed").write_bytes((tmp_path / "journal").read_bytes())  # as kill -9 leaves it
    async with running(Process(tmp_path / "crashed")) as second:
        await settled(second, 3)
        assert [(p.transaction.hash, p.arrival) for p in second.ready()] == [
            (p.transaction.hash, p.arrival) for p in before
        ]
        late = await second.pool.submit(signed(4))
        assert late.arrival.sequence > before[-1].arrival.sequence
        with pytest.raises(Rejected, match="already known"):
            await second.pool.submit(signed(1))


async def test_an_answer_means_that_it_is_written(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        raws = [signed(key, nonce) for key in (1, 2) for nonce in range(3)]
        await asyncio.gather(*map(process.pool.submit, raws))
        content = (tmp_path / "journal").read_bytes()
        assert all(raw in content for raw in raws)


async def test_who_waits_for_a_promise_is_written_only_if_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        loop, written, append = asyncio.get_running_loop(), asyncio.Event(), process.journal.append

        def noticed(batch: list[PooledTransaction]) -> None:
            append(batch)
            loop.call_soon_threadsafe(written.set)

        monkeypatch.setattr(process.journal, "append", noticed)
        promised, waiting = signed(1), signed(2)
        pooled = await process.pool.submit(promised, until_promised=True)
        process.pool.stage([pooled])
        process.pool.included([pooled], {})
        await process.pool.submit(waiting, until_promised=True)
        await written.wait()
        content = (tmp_path / "journal").read_bytes()
        assert waiting in content
        assert promised not in content


async def test_who_waits_for_a_promise_when_the_node_stops_is_written(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1), until_promised=True)
    assert signed(1) in (tmp_path / "journal").read_bytes()


async def test_who_waits_for_a_promise_is_written_when_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journaling, "_PROMISE_S", 3600.0)
    async with running(Process(tmp_path / "journal")) as process:
        promised, waiting = signed(1), signed(2)
        pooled = await process.pool.submit(promised, until_promised=True)
        process.pool.stage([pooled])
        process.pool.included([pooled], {})
        await process.pool.submit(waiting, until_promised=True)
        assert waiting not in (tmp_path / "journal").read_bytes()
        await process.pool.flush_journal()
        content = (tmp_path / "journal").read_bytes()
        assert waiting in content
        assert promised not in content
        await process.pool.flush_journal()
        assert (tmp_path / "journal").read_bytes() == content, "there is nothing more to write"


async def test_who_asks_waits_for_the_write_that_is_under_way(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        begun, release = threading.Event(), threading.Event()
        async with running(Process(tmp_path / "journal", thread)) as process:
            await process.pool.submit(signed(1))
            thread.submit(lambda: (begun.set(), release.wait()))
            begun.wait()
            sent = asyncio.ensure_future(process.pool.submit(signed(2)))
            await settled(process, 2)
            asked = asyncio.ensure_future(process.pool.flush_journal())
            for _ in range(5):
                await asyncio.sleep(0)
            assert not asked.done()
            release.set()
            await asked
            assert sent.done()
            assert signed(2) in (tmp_path / "journal").read_bytes()


async def test_who_asks_when_the_node_stops_is_answered(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1), until_promised=True)
        asked = asyncio.ensure_future(process.pool.flush_journal())
        await asyncio.sleep(0)
    await asked
    assert signed(1) in (tmp_path / "journal").read_bytes()
    await process.pool.flush_journal()


async def test_the_rules_of_today_decide_who_comes_back(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as first:
        for key, nonce in ((1, 0), (2, 0), (3, 0)):
            await first.pool.submit(signed(key, nonce))
    second = Process(tmp_path / "journal")
    second.chain.state[sender_of(1)] = account(1)
    second.chain.state[sender_of(2)] = account(0, 1)
    async with running(second):
        await settled(second, 1)
        assert [p.transaction.sender for p in second.ready()] == [sender_of(3)]


async def test_the_file_stays_small_while_transactions_come_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fdatasync", "fsync"):  # how long a disk takes is not what is asked here
        monkeypatch.setattr(f"os.{name}", lambda _: None)
    async with running(Process(tmp_path / "journal", journal_size_bytes=3_000)) as process:
        kept = await process.pool.submit(signed(9))
        sizes = []
        for nonce in range(120):
            pooled = await process.pool.submit(signed(1, nonce))
            process.pool.stage([pooled])
            process.chain.state[sender_of(1)] = account(nonce + 1)
            process.pool.included([pooled], {sender_of(1): account(nonce + 1)})
            sizes.append((tmp_path / "journal").stat().st_size)
        assert max(sizes) < 8_000 < 120 * 130
    async with running(Process(tmp_path / "journal")) as second:
        await settled(second, 1)
        assert second.ready()[0].transaction.hash == kept.transaction.hash


async def test_the_file_stays_small_under_a_load_that_never_pauses(tmp_path: Path) -> None:
    """Whenever a write returns, the next transaction is there already."""
    loop, done, sizes = asyncio.get_running_loop(), asyncio.Event(), [0]
    numbers = iter(range(20_000))

    def another() -> None:
        arrival = Arrival(next(numbers), 0, 0)
        writer.add([(PooledTransaction(transaction, arrival), Submission(b"", ZERO_HASH, 0, 0, None))])

    class Busy(Journal):
        def append(self, accepted: Iterable[PooledTransaction]) -> None:
            super().append(accepted)
            sizes.append(self.size_bytes)
            shrank = sizes[-1] < sizes[-2]
            loop.call_soon_threadsafe(done.set if shrank or len(sizes) == 20_000 else another)

    transaction = transfer(1, size=100)
    writer = JournalWriter(
        Busy(tmp_path / "journal", OS_FILES),
        contents=list,
        waits=lambda _: True,
        live_bytes=lambda: 0,
        limit_bytes=3_000,
        metrics=MempoolMetrics(CollectorRegistry()),
    )
    await writer.open()
    running = asyncio.ensure_future(writer.run())
    another()
    await done.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await writer.close()
    assert len(sizes) < 20_000, "written anew in the middle of it"


async def test_a_disk_that_refuses_costs_the_journal_and_not_the_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1))

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.pwrite", full)
        pooled = await process.pool.submit(signed(2))
        unhurried = await process.pool.submit(signed(3), until_promised=True)
        await process.pool.flush_journal()
        assert process.pool.is_pending(pooled.transaction.hash)
        assert process.pool.is_pending(unhurried.transaction.hash)
        assert process.registry.get_sample_value("sequencer_mempool_journal_errors_total") == 2


async def test_nothing_is_signed_about_what_a_disk_refused_until_it_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1))
        await process.pool.persist_journal()

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as disk:
            disk.setattr("os.pwrite", full)
            await process.pool.submit(signed(2))
            with pytest.raises(Temporary, match="an earlier write failed"):
                await process.pool.persist_journal()
        async with asyncio.timeout(10):
            while True:
                try:
                    await process.pool.persist_journal()
                    break
                except Temporary:
                    await asyncio.sleep(0)
        content = (tmp_path / "journal").read_bytes()
        assert signed(1) in content
        assert signed(2) in content


async def test_nothing_is_signed_about_a_pool_that_is_closed(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1), until_promised=True)
        asked = asyncio.ensure_future(process.pool.persist_journal())
        await asyncio.sleep(0)
    await asked  # it was written and synced on the way out
    with pytest.raises(Temporary, match="closed"):
        await process.pool.persist_journal()


async def test_only_what_is_promised_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1))
        monkeypatch.setattr(process.journal, "sync", lambda: syncs.append(len(syncs)))
        await process.pool.submit(signed(2))
        await process.pool.submit(signed(3), until_promised=True)
        await process.pool.flush_journal()
        assert not syncs, "a send pays for no sync"
        await asyncio.gather(*(process.pool.persist_journal() for _ in range(5)))
        assert len(syncs) == 1, "one for all who ask together"


async def test_shutdown_writes_what_still_waits(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1))
        pending = [asyncio.ensure_future(process.pool.submit(signed(key))) for key in (2, 3)]
        await settled(process, 3)
    await asyncio.gather(*pending, return_exceptions=True)
    async with running(Process(tmp_path / "journal")) as second:
        await settled(second, 3)


async def test_one_that_waited_arrives_when_its_wait_is_over(tmp_path: Path) -> None:
    """Its receipt says when it could be served first, not when it was first heard of."""
    async with running(Process(tmp_path / "journal")) as process:
        gapped = await process.pool.submit(signed(1, 1))
        assert process.pool.arrival(gapped.transaction.hash) is None, "nothing to hold the sequencer to yet"
        other = await process.pool.submit(signed(2, 0))
        first = await process.pool.submit(signed(1, 0))
        arrivals = [process.pool.arrival(p.transaction.hash) for p in (other, first, gapped)]
        numbers = [arrival.sequence for arrival in arrivals if arrival]
        assert len(numbers) == 3
        assert numbers == sorted(numbers)
        process.pool.stage([first])
        process.pool.included([first], {})
        assert process.pool.arrival(first.transaction.hash) == first.arrival, "remembered for a while"


async def test_one_that_waited_keeps_the_arrival_of_when_its_wait_was_over(tmp_path: Path) -> None:
    """A receipt of it may have been signed: another number after a crash would speak against the sequencer."""
    async with running(Process(tmp_path / "journal")) as first:
        await first.pool.submit(signed(1, 1))
        await first.pool.submit(signed(2, 0))
        await first.pool.submit(signed(1, 0))
        await first.pool.submit(signed(3, 0))
        hashes = [keccak256(signed(*who)) for who in ((2, 0), (1, 0), (1, 1), (3, 0))]
        before = [first.pool.arrival(each) for each in hashes]
        await first.pool.flush_journal()
        (tmp_path / "crashed").write_bytes((tmp_path / "journal").read_bytes())
    async with running(Process(tmp_path / "crashed")) as second:
        await settled(second, 4)
        assert [second.pool.arrival(each) for each in hashes] == before


async def test_one_that_was_written_late_keeps_its_place(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as first:
        await first.pool.submit(signed(1, 0), until_promised=True)
        await first.pool.submit(signed(1, 1))
        hashes = [keccak256(signed(1, nonce)) for nonce in range(2)]
        before = [first.pool.arrival(each) for each in hashes]
    async with running(Process(tmp_path / "journal")) as second:
        await settled(second, 2)
        assert [second.pool.arrival(each) for each in hashes] == before


async def test_a_bundle_is_checked_at_the_door(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        woken = asyncio.ensure_future(process.pool.wait_ready())
        await process.pool.submit_bundle([signed(1), signed(2)], BundleTerms())
        await woken
        bundle = process.pool.bundles.next()
        assert bundle is not None
        (arrival,) = {pooled.arrival for pooled in bundle.transactions}
        assert arrival.origin == ORIGIN_BUNDLE
        for raws, reason in (
            ([signed(1), signed(2)], Reason.ALREADY_KNOWN),
            ([signed(1), b"\x02junk"], Reason.MALFORMED),
            ([signed(3, gas=20_000_000), signed(4, gas=20_000_000)], Reason.GAS_LIMIT),
            ([signed(key) for key in range(1, 18)], Reason.MALFORMED),
        ):
            with pytest.raises(Rejected) as refused:
                await process.pool.submit_bundle(raws, BundleTerms())
            assert refused.value.reason is reason
        process.pool.stop_accepting("stopping")
        with pytest.raises(Rejected, match="not accepting"):
            await process.pool.submit_bundle([signed(5)], BundleTerms())


async def test_one_that_was_placed_in_a_bundle_leaves_the_pool_too(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        own = await process.pool.submit(signed(1))
        follower = await process.pool.submit(signed(1, 1))
        await process.pool.submit_bundle([signed(1)], BundleTerms())
        bundle = process.pool.bundles.next()
        assert bundle is not None
        told: list[Reason] = []
        process.pool.on_dropped = lambda _, reason: told.append(reason)
        process.pool.stage([own])
        process.pool.included(bundle.transactions, {sender_of(1): account(1)})
        assert process.pool.counts() == (1, 0)
        assert process.ready() == [follower]
        assert told == []


async def test_a_bad_signature_is_paid_for_once(tmp_path: Path) -> None:
    async with running(Process(tmp_path / "journal")) as process:
        good = signed(1)
        bad = good[:-33] + b"\xa0" + b"\xff" * 32  # s beyond the order
        for _ in range(3):
            with pytest.raises(Rejected, match="invalid sender"):
                await process.pool.submit(bad)
        assert process.recovery.batches == [1]
        assert process.pool.dropped(keccak256(bad)) is Reason.INVALID_SENDER


async def test_authorizations_are_recovered_beside_the_event_loop(tmp_path: Path) -> None:
    authorization = Account.sign_authorization({"chainId": CHAIN_ID, "address": TARGET, "nonce": 0}, private_key(5))
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(
            signed(1, gas=200_000, type=4, authorizationList=[authorization], maxFeePerGas=3 * GWEI)
        )
        assert process.recovery.threads == [True]
        await process.pool.submit(signed(5, 0))
        with pytest.raises(Rejected, match="in-flight transaction limit reached for delegated accounts"):
            await process.pool.submit(signed(5, 1))


async def test_a_write_that_was_called_off_before_it_began_is_made_up_for(tmp_path: Path) -> None:
    """All worker threads are busy when the node is told to stop, so the write never got a thread."""
    loop = asyncio.get_running_loop()
    release = threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    async with running(Process(tmp_path / "journal")) as process:
        await process.pool.submit(signed(1))
        busy = loop.run_in_executor(None, release.wait)
        pending = asyncio.ensure_future(process.pool.submit(signed(2)))
        await settled(process, 2)
        await asyncio.sleep(0)
        loop.call_soon(release.set)
    await busy
    await asyncio.gather(pending, return_exceptions=True)
    async with running(Process(tmp_path / "journal")) as second:
        await settled(second, 2)
