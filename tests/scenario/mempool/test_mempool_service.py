"""Stories of the mempool as a service: how transactions come in together, race with the builder, and pile up."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from mempool.admission import PythonRecovery
from mempool.config import MempoolConfig
from mempool.metrics import MempoolMetrics
from mempool.service import Mempool
from sequencer.core.calls import AccountView
from sequencer.core.errors import Defect, NonceGap, Reason, Rejected, Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import PooledTransaction, Transaction
from sequencer.core.types import Address
from tests.unit.mempool.makers import RICH, RULES, account, sender_of, signed


class Chain:
    """The state behind the pool. ``asked`` records every question; ``pause`` holds answers back."""

    def __init__(self) -> None:
        self.state: dict[Address, AccountView] = {}
        self.asked: list[list[Address]] = []
        self.open_gate = asyncio.Event()
        self.open_gate.set()
        self.waiting = asyncio.Event()
        self.failure: Temporary | Defect | None = None

    async def accounts(self, addresses: Sequence[Address]) -> list[AccountView]:
        self.asked.append(list(addresses))
        answer = [self.state.get(address, account()) for address in addresses]
        self.waiting.set()
        await self.open_gate.wait()
        if self.failure:
            raise self.failure
        return answer

    def account_now(self, address: Address) -> AccountView:
        if self.failure:
            raise self.failure
        return self.state.get(address, account())


class CountingRecovery(PythonRecovery):
    """Remembers the size of each batch and whether it ran beside the event loop."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: list[bool] = []
        self.failure: Defect | None = None

    def recover(self, raws: Sequence[bytes], rules: EntryRules) -> list[Transaction | Rejected]:
        self.batches.append(len(raws))
        self.threads.append(threading.current_thread() is not threading.main_thread())
        if self.failure:
            raise self.failure
        return super().recover(raws, rules)


class Node:
    """A pool that runs, and everything around it."""

    def __init__(self, config: MempoolConfig) -> None:
        self.chain = Chain()
        self.recovery = CountingRecovery()
        self.now_ms = 1_000_000
        self.registry = CollectorRegistry()
        self.pool = Mempool(
            config,
            self.recovery,
            self.chain.accounts,
            lambda: RULES,
            lambda: self.now_ms,
            MempoolMetrics(self.registry),
            account_now=self.chain.account_now,
        )
        self.events: list[tuple[int, bool]] = []
        self.pool.on_pooled = lambda entered, executable: self.events.extend(
            (pooled.transaction.nonce, executable) for pooled in entered
        )

    def ready(self) -> list[PooledTransaction]:
        return list(self.pool.ready().heads())

    def submit_now(self, raw: bytes) -> bool:
        return self.pool.submit_now(raw, keccak256(raw))

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@asynccontextmanager
async def running(**limits: int) -> AsyncIterator[Node]:
    node = Node(replace(MempoolConfig(), **limits))
    task = asyncio.ensure_future(node.pool.run())
    try:
        yield node
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_alone_is_answered_without_leaving_the_loop() -> None:
    async with running() as node:
        pooled = await node.pool.submit(signed())
        assert pooled.transaction.sender == sender_of(1)
        assert (pooled.arrival.sequence, pooled.arrival.received_ms) == (0, 1_000_000)
        assert (node.recovery.batches, node.recovery.threads) == ([1], [False])
        assert node.pool.counts() == (1, 0)
        assert node.pool.is_pending(pooled.transaction.hash)
        assert node.pool.has_ready()


async def test_the_metrics_show_what_the_pool_holds() -> None:
    async with running() as node:
        raws = [signed(1, 0), signed(1, 1), signed(1, 3)]
        for raw in raws:
            await node.pool.submit(raw)
        assert node.sample("sequencer_mempool_transactions", queue="executable") == 2
        assert node.sample("sequencer_mempool_transactions", queue="queued") == 1
        assert node.sample("sequencer_mempool_size_bytes") == sum(map(len, raws))
        assert node.sample("sequencer_mempool_ingress_transactions") == 0
        assert node.sample("sequencer_mempool_bundles") == 0


async def test_those_that_come_together_share_one_recovery_and_one_question() -> None:
    async with running() as node:
        raws = [signed(key, nonce) for nonce in range(2) for key in (1, 2, 3)]
        pooled = await asyncio.gather(*map(node.pool.submit, raws))
        assert (node.recovery.batches, node.recovery.threads) == ([6], [True])
        assert node.chain.asked == [[sender_of(1), sender_of(2), sender_of(3)]]
        assert [p.arrival.sequence for p in pooled] == list(range(6))
        await node.pool.submit(signed(1, 2))
        assert len(node.chain.asked) == 1, "the pool knows this sender already"


async def test_what_comes_during_a_batch_forms_the_next_one() -> None:
    async with running() as node:
        node.chain.open_gate.clear()
        first = asyncio.ensure_future(node.pool.submit(signed(1)))
        await node.chain.waiting.wait()
        rest = [asyncio.ensure_future(node.pool.submit(signed(key))) for key in (2, 3, 4)]
        await asyncio.sleep(0)
        node.chain.open_gate.set()
        await asyncio.gather(first, *rest)
        assert node.recovery.batches == [1, 3]


async def test_each_gets_its_own_refusal() -> None:
    async with running() as node:
        node.chain.state[sender_of(2)] = account(0, 1)
        node.chain.state[sender_of(3)] = account(5)
        raws = [signed(1), signed(2), signed(3, 3), b"\x02junk", signed(4, chainId=1), signed(1)]
        results = await asyncio.gather(*map(node.pool.submit, raws), return_exceptions=True)
        reasons = [r.reason if isinstance(r, Rejected) else None for r in results]
        assert reasons == [
            None,
            Reason.INSUFFICIENT_FUNDS,
            Reason.NONCE_TOO_LOW,
            Reason.MALFORMED,
            Reason.WRONG_CHAIN,
            Reason.ALREADY_KNOWN,
        ]
        assert str(results[2]) == "nonce too low: next nonce 5, tx nonce 3"
        assert node.sample("sequencer_mempool_refused_total", reason="wrong_chain") == 1
        assert node.sample("sequencer_mempool_admitted_total", queue="executable") == 1


async def test_one_that_may_not_wait_is_refused_when_an_earlier_nonce_is_missing() -> None:
    async with running() as node:
        await node.pool.submit(signed(1, 0), executable_only=True)
        with pytest.raises(NonceGap, match="nonce too high: next nonce 1, tx nonce 2") as gap:
            await node.pool.submit(signed(1, 2), executable_only=True)
        assert gap.value.expected == 1
        assert node.pool.counts() == (1, 0)
        await node.pool.submit(signed(1, 1), executable_only=True)
        await node.pool.submit(signed(1, 2), executable_only=True)
        assert node.pool.counts() == (3, 0)


async def test_a_known_one_and_an_oversized_one_cost_no_recovery() -> None:
    async with running() as node:
        await node.pool.submit(signed())
        with pytest.raises(Rejected, match=r"^already known$"):
            await node.pool.submit(signed())
        with pytest.raises(Rejected, match=r"^oversized data: transaction size 131073, limit 131072$"):
            await node.pool.submit(bytes(131_073))
        assert node.recovery.batches == [1]


async def test_a_full_ingress_refuses_at_once_and_loses_nothing_it_took() -> None:
    async with running(ingress_count=2) as node:
        node.chain.open_gate.clear()
        first = asyncio.ensure_future(node.pool.submit(signed(1)))
        await node.chain.waiting.wait()
        taken = [asyncio.ensure_future(node.pool.submit(signed(key))) for key in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Rejected, match=r"^txpool is full: too many transactions wait for admission$"):
            await node.pool.submit(signed(4))
        node.chain.open_gate.set()
        assert len(await asyncio.gather(first, *taken)) == 3
        await node.pool.submit(signed(4))


async def test_ingress_is_bounded_by_bytes_too() -> None:
    async with running(ingress_bytes=200) as node:
        node.chain.open_gate.clear()
        first = asyncio.ensure_future(node.pool.submit(signed(1)))
        await node.chain.waiting.wait()
        second = asyncio.ensure_future(node.pool.submit(signed(2)))
        await asyncio.sleep(0)
        with pytest.raises(Rejected, match=r"^txpool is full"):
            await node.pool.submit(signed(3))
        node.chain.open_gate.set()
        await asyncio.gather(first, second)


async def test_closed_for_business() -> None:
    async with running() as node:
        node.pool.stop_accepting("no space left on disk")
        with pytest.raises(Rejected) as refused:
            await node.pool.submit(signed())
        assert refused.value.reason is Reason.NOT_ACCEPTING
        assert str(refused.value) == "sequencer is not accepting transactions: no space left on disk"
        node.pool.accept()
        await node.pool.submit(signed())


async def test_shutdown_answers_everyone_who_waits() -> None:
    async with running() as node:
        node.chain.open_gate.clear()
        first = asyncio.ensure_future(node.pool.submit(signed(1)))
        await node.chain.waiting.wait()
        second = asyncio.ensure_future(node.pool.submit(signed(2)))
        await asyncio.sleep(0)
    for refused in await asyncio.gather(first, second, return_exceptions=True):
        assert isinstance(refused, Rejected)
        assert refused.reason is Reason.NOT_ACCEPTING


async def test_state_that_cannot_be_read_is_a_temporary_error_and_the_pool_goes_on() -> None:
    async with running() as node:
        node.chain.failure = Temporary("state is being rebuilt")
        with pytest.raises(Temporary, match="state is being rebuilt"):
            await node.pool.submit(signed())
        node.chain.failure = None
        await node.pool.submit(signed())


async def test_a_defect_in_admission_costs_its_answers_and_the_pool_goes_on() -> None:
    async with running() as node:
        for place in (node.recovery, node.chain):
            place.failure = Defect("a panic")
            answers = await asyncio.gather(*map(node.pool.submit, (signed(1), signed(2))), return_exceptions=True)
            assert [(type(answer), str(answer)) for answer in answers] == [(Defect, "a panic")] * 2
            place.failure = None
        await node.pool.submit(signed(1))
        assert node.pool.counts() == (1, 0)


async def test_who_gives_up_waiting_does_not_disturb_the_others() -> None:
    async with running() as node:
        node.chain.open_gate.clear()
        gives_up = asyncio.ensure_future(node.pool.submit(signed(1)))
        waits = asyncio.ensure_future(node.pool.submit(signed(2)))
        await node.chain.waiting.wait()
        gives_up.cancel()
        node.chain.open_gate.set()
        await waits
        assert node.pool.counts() == (2, 0), "it was handed in, so it counts"


async def test_a_sender_who_was_paid_meanwhile_is_looked_at_again() -> None:
    async with running() as node:
        node.chain.state[sender_of(1)] = account(0, 21_000 * 2 * 10**9)
        await node.pool.submit(signed(1, 0))
        with pytest.raises(Rejected, match=r"^insufficient funds for gas \* price \+ value: balance .* overshot"):
            await node.pool.submit(signed(1, 1))
        node.chain.state[sender_of(1)] = account(0, RICH)
        await node.pool.submit(signed(1, 1))
        assert node.pool.counts() == (2, 0)


async def test_the_builder_includes_while_an_account_is_being_read() -> None:
    """The last transaction of a known sender becomes durable while another's account is read: the pool has
    forgotten the sender, and must ask for its account rather than believe anything older."""
    async with running() as node:
        first = await node.pool.submit(signed(1, 0))
        node.chain.open_gate.clear()
        node.chain.waiting.clear()
        late = asyncio.gather(node.pool.submit(signed(2, 0)), node.pool.submit(signed(1, 1)))
        await node.chain.waiting.wait()
        node.pool.stage([first])
        node.chain.state[sender_of(1)] = account(1)
        node.pool.included([first], {sender_of(1): account(1)})
        node.chain.open_gate.set()
        _, second = await late
        assert node.pool.is_pending(second.transaction.hash)
        assert node.pool.next_nonce(sender_of(1), 0) == 2
        assert node.chain.asked == [[sender_of(1)], [sender_of(2)], [sender_of(1)]]


async def test_the_life_of_a_transaction_as_the_builder_sees_it() -> None:
    async with running() as node:
        woken = asyncio.ensure_future(node.pool.wait_ready())
        await asyncio.sleep(0)
        assert not woken.done()
        await node.pool.submit(signed(1, 1))
        await asyncio.sleep(0)
        assert not woken.done(), "a gap is nothing to build with"
        await node.pool.submit(signed(1, 0))
        await woken
        assert node.events == [(1, False), (0, True), (1, True)]

        (head,) = node.ready()
        follower = node.pool.ready().after(head)
        assert follower is not None
        node.pool.stage([head, follower])
        assert not node.pool.has_ready()
        assert node.pool.counts() == (2, 0)
        node.pool.restore([head, follower])
        assert node.ready() == [head]
        node.pool.stage([head])
        assert node.pool.held_addresses([head]) == [sender_of(1)]
        node.pool.included([head], {sender_of(1): account(1)})
        assert (node.pool.counts(), node.pool.get(head.transaction.hash)) == ((1, 0), None)

        told: list[tuple[PooledTransaction, Reason]] = []
        node.pool.on_dropped = lambda pooled, reason: told.append((pooled, reason))
        node.pool.drop(follower, Reason.INSUFFICIENT_FUNDS)
        assert told == [(follower, Reason.INSUFFICIENT_FUNDS)]
        assert node.pool.counts() == (0, 0)
        assert node.pool.dropped(follower.transaction.hash) is Reason.INSUFFICIENT_FUNDS
        assert node.pool.dropped(head.transaction.hash) is None
        assert node.sample("sequencer_mempool_dropped_total", reason="insufficient_funds") == 1


async def test_the_base_fee_wakes_the_builder_when_it_falls() -> None:
    async with running() as node:
        node.pool.set_base_fee(3 * 10**9)
        await node.pool.submit(signed())
        woken = asyncio.ensure_future(node.pool.wait_ready())
        await asyncio.sleep(0)
        assert (woken.done(), node.pool.counts()) == (False, (1, 0))
        node.pool.set_base_fee(2 * 10**9)
        await woken


async def test_housekeeping_expires_and_finds_new_funds() -> None:
    async with running() as node:
        poor = account(0, 21_000 * 2 * 10**9)
        node.chain.state[sender_of(1)] = poor
        waits = await node.pool.submit(signed(1, 1))
        await node.pool.submit(signed(1, 0))
        stuck = await node.pool.submit(signed(2, 9))
        assert node.pool.counts() == (1, 2)
        node.chain.state[sender_of(1)] = account()
        await node.pool.keep_house()
        assert node.pool.is_pending(waits.transaction.hash)
        node.now_ms += 3 * 60 * 60 * 1000 + 1
        await node.pool.keep_house()
        assert node.pool.counts() == (2, 0)
        assert node.pool.dropped(stuck.transaction.hash) is not None


async def test_an_eviction_within_a_batch_can_make_a_known_sender_unknown() -> None:
    """Sender 1 is known when the batch begins; the batch's first transaction evicts its only one."""
    async with running(pool_count=2) as node:
        await node.pool.submit(signed(1, 5))
        await node.pool.submit(signed(2, 0))
        await asyncio.gather(node.pool.submit(signed(3, 0)), failed(node, signed(1, 6)))
        assert node.pool.counts() == (2, 0)
        assert node.chain.asked[2:] == [[sender_of(3)], [sender_of(1)]]


async def failed(node: Node, raw: bytes) -> Reason:
    with pytest.raises(Rejected) as refused:
        await node.pool.submit(raw)
    return refused.value.reason


async def test_a_flood_of_worthless_transactions_does_not_stop_an_honest_one() -> None:
    """Senders without funds fill every batch; each is refused and the honest one gets in behind them."""
    async with running(batch_count=16) as node:
        for key in range(100, 180):
            node.chain.state[sender_of(key)] = account(0, 0)
        flood = [asyncio.ensure_future(failed(node, signed(key))) for key in range(100, 180)]
        honest = await node.pool.submit(signed(1))
        assert set(await asyncio.gather(*flood)) == {Reason.INSUFFICIENT_FUNDS}
        assert node.pool.counts() == (1, 0)
        assert honest.arrival.sequence == 0
        assert max(node.recovery.batches) == 16


async def test_a_flood_of_bad_signatures_sent_again_and_again_costs_one_recovery_each() -> None:
    async with running(batch_count=16) as node:
        bad = [signed(key)[:-33] + b"\xa0" + b"\xff" * 32 for key in range(100, 140)]
        assert set(await asyncio.gather(*[failed(node, raw) for raw in bad])) == {Reason.INVALID_SENDER}
        paid = sum(node.recovery.batches)
        for _ in range(5):
            flood = [asyncio.ensure_future(failed(node, raw)) for raw in bad]
            await asyncio.gather(*flood)
        assert sum(node.recovery.batches) == paid == len(bad)
        honest = await node.pool.submit(signed(1))
        assert node.ready() == [honest]


def test_hash_of_raw_is_the_hash_of_the_transaction() -> None:
    """``submit`` looks for known transactions by the hash of the bytes, before decoding them."""
    for raw in (signed(), signed(gasPrice=10**9), signed(gasPrice=10**9, accessList=[])):
        (result,) = PythonRecovery().recover([raw], RULES)
        assert not isinstance(result, Rejected)
        assert result.hash == keccak256(raw)


async def at_rest() -> None:
    """Everything that was begun waits for something now."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_at_once_where_nothing_stands_in_the_way() -> None:
    async with running() as node:
        await at_rest()
        raw = signed()
        assert node.submit_now(raw)
        assert node.pool.is_pending(keccak256(raw))
        assert node.events == [(0, True)]
        assert not node.submit_now(raw)  # it is known by now
        assert node.pool.counts() == (1, 0)


async def test_not_at_once_before_the_pool_runs_nor_after() -> None:
    async with running() as node:
        assert not node.submit_now(signed())
    assert not node.submit_now(signed())


async def test_nobody_is_overtaken_at_once() -> None:
    async with running() as node:
        await at_rest()
        node.chain.open_gate.clear()
        first = asyncio.ensure_future(node.pool.submit(signed(key=1)))
        await node.chain.waiting.wait()
        assert not node.submit_now(signed(key=2))
        node.chain.open_gate.set()
        await first
        await at_rest()
        assert node.submit_now(signed(key=2))


async def test_what_is_refused_at_once_leaves_no_trace() -> None:
    async with running() as node:
        await at_rest()
        counters = {sample: node.sample(sample) for sample in ("sequencer_mempool_refused_total",)}
        for raw in (b"\x02", signed(nonce=1), signed(chainId=9)):
            assert not node.submit_now(raw)
        node.chain.failure = Temporary("not now")
        assert not node.submit_now(signed())
        node.chain.failure = None
        node.pool.stop_accepting("closed")
        assert not node.submit_now(signed())
        assert (node.pool.counts(), node.events) == ((0, 0), [])
        assert {sample: node.sample(sample) for sample in counters} == counters


async def test_after_a_batch_of_several_the_next_one_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mempool.service._GATHER_S", 3600)
    async with running() as node:
        await asyncio.gather(*[node.pool.submit(signed(key=key)) for key in range(1, 9)])
        waiting = asyncio.ensure_future(node.pool.submit(signed(key=9)))
        await at_rest()
        assert not waiting.done()
        assert not node.submit_now(signed(key=10))
    with pytest.raises(Rejected):
        await waiting


async def test_many_are_not_kept_waiting_for_more_nor_are_few_after_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mempool.service._GATHER_S", 3600)
    async with running() as node:
        await asyncio.gather(*[node.pool.submit(signed(key=key)) for key in range(1, 8)])
        await asyncio.gather(*[node.pool.submit(signed(key=key)) for key in range(8, 16)])
        await asyncio.gather(*[node.pool.submit(signed(key=key)) for key in range(16, 80)])
        assert node.pool.counts() == (79, 0)
