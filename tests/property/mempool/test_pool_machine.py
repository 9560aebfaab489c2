"""After any sequence of operations the pool's books balance, and no rule of its docstring is broken."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mempool.config import MempoolConfig
from mempool.pool import Pool
from mempool.validation import cost_wei
from sequencer.core.errors import Reason, Rejected
from sequencer.core.transaction import PooledTransaction
from tests.unit.mempool.makers import account, address, transfer

CONFIG = replace(
    MempoolConfig(),
    pool_count=14,
    pool_bytes=2_500,
    sender_executable_count=6,
    sender_guaranteed_count=2,
    sender_queued_count=4,
    queued_count=7,
    nonce_gap=6,
    queued_lifetime_ms=50,
)
REFUSALS = [Reason.INSUFFICIENT_FUNDS, Reason.NONCE_TOO_LOW, Reason.SENDER_NOT_EOA]
SENDERS = st.integers(1, 5)
FEES = st.sampled_from([10, 11, 12, 20, 40])
UNIT = 21_000


class PoolMachine(RuleBasedStateMachine):
    """The model is the chain: a nonce and a balance for each sender, and what stands in the open block."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool(CONFIG)
        self.nonces = dict.fromkeys(range(1, 6), 0)
        self.balances = dict.fromkeys(range(1, 6), 100 * UNIT)
        self.block: list[PooledTransaction] = []
        self.held: dict[bytes, PooledTransaction] = {}
        self.now_ms = 0
        self.base_fee = 0

    def view(self, sender: int):  # type: ignore[no-untyped-def]
        return account(self.nonces[sender], self.balances[sender])

    def changed(self) -> list[tuple[PooledTransaction, Reason]]:
        changes = self.pool.take_changes()
        for pooled in changes.promoted:
            before = self.held.get(pooled.transaction.hash)
            if before is not None:
                assert pooled.arrival.sequence >= before.arrival.sequence, "who waited arrives anew, never earlier"
                self.held[pooled.transaction.hash] = pooled
        gone = [(d.pooled, d.reason) for d in changes.dropped]
        for pooled, _ in gone:
            own = self.held.pop(pooled.transaction.hash)
            assert own.transaction is pooled.transaction, "dropped what it did not hold"
        return gone

    @rule(sender=SENDERS, ahead=st.integers(-1, 7), fee=FEES, size=st.sampled_from([110, 400]))
    def add(self, sender: int, ahead: int, fee: int, size: int) -> None:
        nonce = max(0, self.pool.next_nonce(address(sender), self.nonces[sender]) + ahead)
        transaction = transfer(sender, nonce, fee_cap=fee, size=size)
        before = {h: self.pool.is_pending(p) for h, p in self.held.items()}
        self.now_ms += 1
        try:
            pooled = self.pool.add(transaction, self.now_ms, 0, self.view(sender))
        except Rejected:
            assert not self.pool.take_changes().dropped, "a refusal must change nothing"
            assert before == {h: self.pool.is_pending(p) for h, p in self.held.items()}
            return
        self.held[transaction.hash] = pooled
        for victim, reason in self.changed():
            assert victim.transaction.hash in before
            assert victim not in self.block
            if reason is Reason.EVICTED and before[victim.transaction.hash]:
                assert self.pool.is_pending(pooled), "an executable one was evicted for a queued one"

    @rule(count=st.integers(1, 6))
    def execute(self, count: int) -> None:
        taken: list[PooledTransaction] = []
        for head in self.pool.ready.heads():
            pooled: PooledTransaction | None = head
            while pooled is not None and len(taken) < count:
                taken.append(pooled)
                pooled = self.pool.ready.after(pooled)
        self.pool.stage(taken)
        self.block += taken
        assert not self.changed()

    @precondition(lambda self: self.block)
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        keep = data.draw(st.integers(0, len(self.block) - 1))
        self.pool.restore(self.block[keep:])
        del self.block[keep:]
        self.changed()

    @precondition(lambda self: self.block)
    @rule(data=st.data(), with_views=st.booleans())
    def include(self, data: st.DataObject, with_views: bool) -> None:
        durable = data.draw(st.integers(1, len(self.block)))
        taken, self.block = self.block[:durable], self.block[durable:]
        for pooled in taken:
            sender = int.from_bytes(pooled.transaction.sender)
            self.nonces[sender] = pooled.transaction.nonce + 1
            self.balances[sender] -= cost_wei(pooled.transaction) * 2 // 3
            del self.held[pooled.transaction.hash]
        senders = {int.from_bytes(p.transaction.sender) for p in taken}
        self.pool.included(taken, {address(s): self.view(s) for s in senders} if with_views else {})
        self.changed()

    @rule(sender=SENDERS, balance=st.integers(0, 200))
    def balance_changes(self, sender: int, balance: int) -> None:
        self.balances[sender] = balance * UNIT
        self.pool.observe(address(sender), self.view(sender))
        self.changed()

    @precondition(lambda self: self.pool.ready.any())
    @rule(reason=st.sampled_from([Reason.INSUFFICIENT_FUNDS, Reason.NONCE_TOO_LOW]))
    def execution_refuses(self, reason: Reason) -> None:
        refused = next(self.pool.ready.heads())
        self.pool.drop(refused, reason)
        assert (refused, reason) in self.changed()

    @precondition(lambda self: self.pool.ready.any())
    @rule(count=st.integers(1, 6), bad=st.integers(0, 5), reason=st.sampled_from(REFUSALS))
    def build(self, count: int, bad: int, reason: Reason) -> None:
        """As the builder does it: stage a pick, execute, drop what was refused and restore what hung on it."""
        taken: list[PooledTransaction] = []
        for head in self.pool.ready.heads():
            pooled: PooledTransaction | None = head
            while pooled is not None and len(taken) < count:
                taken.append(pooled)
                pooled = self.pool.ready.after(pooled)
        self.pool.stage(taken)
        refused = taken[bad % len(taken)]
        hung = [
            p
            for p in taken
            if p.transaction.sender == refused.transaction.sender and p.transaction.nonce > refused.transaction.nonce
        ]
        self.pool.drop(refused, reason)
        self.pool.restore(hung)
        assert (refused, reason) in self.changed()
        self.block += [p for p in taken if p is not refused and p not in hung]
        if reason is not Reason.NONCE_TOO_LOW:
            assert not any(self.pool.is_pending(p) for p in hung), "its nonce is missing"

    @rule(base_fee=st.sampled_from([0, 11, 15, 50]))
    def base_fee_changes(self, base_fee: int) -> None:
        self.base_fee = base_fee
        self.pool.ready.set_base_fee(base_fee)

    @rule(later_ms=st.integers(0, 60))
    def time_passes(self, later_ms: int) -> None:
        self.now_ms += later_ms
        waiting = {h for h, p in self.held.items() if not self.pool.is_pending(p)}
        self.pool.expire(self.now_ms)
        for pooled, reason in self.changed():
            assert reason is Reason.EXPIRED
            assert pooled.transaction.hash in waiting

    @invariant()
    def books_balance(self) -> None:
        pool = self.pool
        pending = [p for p in self.held.values() if pool.is_pending(p)]
        assert pool._by_hash == self.held
        assert pool.held_count == len(pending)
        assert pool.queued_count == len(self.held) - len(pending) <= CONFIG.queued_count
        assert pool.size_bytes == sum(len(p.transaction.raw) for p in self.held.values()) <= CONFIG.pool_bytes
        assert len(self.held) <= CONFIG.pool_count
        assert set(pool.senders()) == {p.transaction.sender for p in self.held.values()}

    @invariant()
    def queues_are_sound(self) -> None:
        for queue in self.pool._senders.values():
            assert sorted(queue.executable) == list(range(queue.next_nonce, queue.end_nonce))
            assert all(nonce < queue.next_nonce for nonce in queue.staged)
            assert all(nonce >= queue.end_nonce for nonce in queue.queued)
            owed = [p for q in (queue.staged, queue.executable) for n, p in q.items() if n >= queue.account.nonce]
            assert queue.committed_wei == sum(cost_wei(p.transaction) for p in owed)
            assert not queue.executable or queue.committed_wei <= queue.account.balance_wei
            assert queue.held_count <= CONFIG.sender_executable_count
            assert len(queue.queued) <= CONFIG.sender_queued_count
            assert queue.size_bytes == sum(
                len(p.transaction.raw) for q in (queue.staged, queue.executable, queue.queued) for p in q.values()
            )

    @invariant()
    def ready_is_each_senders_next_in_arrival_order(self) -> None:
        heads = list(self.pool.ready.heads())
        expected = [q.head() for q in self.pool._senders.values()]
        paying = [h for h in expected if h is not None and h.transaction.max_fee_per_gas >= self.base_fee]
        assert heads == sorted(paying, key=lambda h: h.arrival.sequence)
        assert self.pool.ready.any() == bool(heads)

    @invariant()
    def staged_is_what_stands_in_the_open_block(self) -> None:
        staged = [p for q in self.pool._senders.values() for p in q.staged.values()]
        assert {p.arrival.sequence for p in staged} == {p.arrival.sequence for p in self.block}


TestPoolMachine = PoolMachine.TestCase
FUZZING = settings().max_examples > 1_000
"""`make fuzz`: 10^5 steps instead of some thousands."""
TestPoolMachine.settings = settings(max_examples=2_000 if FUZZING else 150, stateful_step_count=50, deadline=None)
