"""The pool's rules one by one: what becomes executable, what is refused, what has to go."""

from dataclasses import replace

import pytest

from mempool.config import MempoolConfig
from mempool.drops import DropRecord
from mempool.pool import Pool
from sequencer.core.calls import AccountView
from sequencer.core.errors import ConfigError, Reason, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.transaction import PooledTransaction, RecoveredTransaction
from tests.unit.mempool.makers import GWEI, RICH, account, address, transfer

COST = 21_000 * 2 * GWEI


def pool_with(**limits: int) -> Pool:
    return Pool(replace(MempoolConfig(), **limits))


def add(pool: Pool, transaction: RecoveredTransaction, view: AccountView | None = None) -> PooledTransaction:
    return pool.add(transaction, 1_000, 0, view or account())


def refusal(pool: Pool, transaction: RecoveredTransaction, view: AccountView | None = None) -> str:
    with pytest.raises(Rejected) as refused:
        add(pool, transaction, view)
    return str(refused.value)


def ready(pool: Pool) -> list[tuple[int, int]]:
    """(sender, nonce) of everything executable, sender by sender in arrival order of their next one."""
    found: list[tuple[int, int]] = []
    for head in pool.ready.heads():
        pooled: PooledTransaction | None = head
        while pooled is not None:
            found.append((int.from_bytes(pooled.transaction.sender), pooled.transaction.nonce))
            pooled = pool.ready.after(pooled)
    return found


def dropped(pool: Pool) -> list[tuple[int, int, Reason]]:
    return [
        (int.from_bytes(d.pooled.transaction.sender), d.pooled.transaction.nonce, d.reason)
        for d in pool.take_changes().dropped
    ]


class TestNonces:
    def test_a_gap_queues_and_filling_it_promotes(self) -> None:
        pool = pool_with()
        add(pool, transfer(nonce=2))
        add(pool, transfer(nonce=1))
        assert (pool.held_count, pool.queued_count, ready(pool)) == (0, 2, [])
        add(pool, transfer(nonce=0))
        assert (pool.held_count, pool.queued_count, ready(pool)) == (3, 0, [(1, 0), (1, 1), (1, 2)])
        assert [p.transaction.nonce for p in pool.take_changes().promoted] == [1, 2]

    def test_heads_come_in_order_of_arrival_whatever_the_sender(self) -> None:
        pool = pool_with()
        for sender in (3, 1, 2):
            add(pool, transfer(sender))
        assert ready(pool) == [(3, 0), (1, 0), (2, 0)]

    def test_next_nonce_counts_executable_ones_only(self) -> None:
        pool = pool_with()
        for nonce in (5, 6, 9):
            add(pool, transfer(nonce=nonce), account(5))
        assert pool.next_nonce(address(1), 5) == 7
        assert pool.next_nonce(address(2), 4) == 4

    def test_used_nonces_and_far_ones_are_refused(self) -> None:
        pool = pool_with()
        assert refusal(pool, transfer(nonce=3), account(5)) == "nonce too low: next nonce 5, tx nonce 3"
        assert refusal(pool, transfer(nonce=65)) == "nonce too high: tx nonce 65, gapped nonce 0"
        add(pool, transfer(nonce=64))

    def test_a_refused_transaction_leaves_no_trace(self) -> None:
        pool = pool_with()
        refusal(pool, transfer(nonce=3), account(5))
        assert pool.account(address(1)) is None
        assert add(pool, transfer()).arrival.sequence == 0, "a refusal must not leave a gap in the arrivals"


class TestReplacement:
    def test_in_place_and_reported(self) -> None:
        pool = pool_with()
        old = add(pool, transfer(nonce=0, fee_cap=100))
        add(pool, transfer(nonce=1, fee_cap=100))
        new = add(pool, transfer(nonce=0, fee_cap=110))
        assert dropped(pool) == [(1, 0, Reason.REPLACED)]
        assert pool.get(old.transaction.hash) is None
        assert pool.is_pending(new)
        assert (pool.held_count, ready(pool)) == (2, [(1, 0), (1, 1)])

    def test_queued_ones_too(self) -> None:
        pool = pool_with()
        add(pool, transfer(nonce=4, fee_cap=100))
        assert refusal(pool, transfer(nonce=4, fee_cap=109)) == "replacement transaction underpriced"
        add(pool, transfer(nonce=4, fee_cap=110))
        assert pool.queued_count == 1

    def test_a_replacement_goes_to_the_end_of_the_line(self) -> None:
        pool = pool_with()
        add(pool, transfer(1, fee_cap=100))
        add(pool, transfer(2))
        add(pool, transfer(1, fee_cap=110))
        assert ready(pool) == [(2, 0), (1, 0)]

    def test_may_not_overdraw(self) -> None:
        pool = pool_with()
        view = account(0, 2 * COST)
        add(pool, transfer(nonce=0), view)
        add(pool, transfer(nonce=1), view)
        bumped = transfer(nonce=0, fee_cap=3 * GWEI)
        assert "tx bumped 21000000000000, overshot 21000000000000" in refusal(pool, bumped)

    def test_known_bytes(self) -> None:
        pool = pool_with()
        add(pool, transfer())
        assert refusal(pool, transfer()) == "already known"


class TestFunds:
    def test_only_what_the_balance_covers_is_taken(self) -> None:
        pool = pool_with()
        view = account(0, 2 * COST + 5)
        add(pool, transfer(nonce=0), view)
        add(pool, transfer(nonce=1), view)
        assert refusal(pool, transfer(nonce=2)) == (
            "insufficient funds for gas * price + value: "
            f"balance {2 * COST + 5}, queued cost {2 * COST}, tx cost {COST}, overshot {COST - 5}"
        )

    def test_a_filled_gap_promotes_as_far_as_the_balance_goes(self) -> None:
        pool = pool_with()
        for nonce in (1, 2, 0):
            add(pool, transfer(nonce=nonce), account(0, 2 * COST))
        assert (ready(pool), pool.queued_count) == ([(1, 0), (1, 1)], 1)
        assert pool.short_of_funds(10) == [address(1)]

    def test_a_falling_balance_demotes_and_a_rising_one_promotes(self) -> None:
        pool = pool_with()
        for nonce in range(3):
            add(pool, transfer(nonce=nonce))
        pool.observe(address(1), account(0, COST))
        assert (ready(pool), pool.queued_count) == ([(1, 0)], 2)
        pool.observe(address(1), account(0, 3 * COST))
        assert len(ready(pool)) == 3

    def test_senders_that_wait_for_funds_take_turns(self) -> None:
        pool = pool_with()
        for sender in range(1, 6):
            add(pool, transfer(sender))
            pool.observe(address(sender), account(0, 0))
        seen = {a for _ in range(3) for a in pool.short_of_funds(2)}
        assert seen == {address(n) for n in range(1, 6)}

    def test_a_contract_cannot_send(self) -> None:
        view = AccountView(0, RICH, keccak256(b"code"))
        assert refusal(pool_with(), transfer(), view).startswith("sender not an eoa")


class TestDelegatedAccounts:
    def test_one_in_flight_and_no_gaps(self) -> None:
        pool, view = pool_with(), account(delegated=True)
        gapped = "gapped-nonce tx from delegated accounts"
        assert refusal(pool, transfer(nonce=1), view) == gapped
        add(pool, transfer(nonce=0, fee_cap=100), view)
        assert refusal(pool, transfer(nonce=1), view) == ("in-flight transaction limit reached for delegated accounts")
        add(pool, transfer(nonce=0, fee_cap=110), view)


class TestLimits:
    def test_of_one_sender(self) -> None:
        pool = pool_with(sender_executable_count=3, sender_queued_count=2)
        for nonce in (0, 1, 2, 5, 6):
            add(pool, transfer(nonce=nonce))
        assert refusal(pool, transfer(nonce=7)) == "account limit exceeded: pooled 2 txs"
        assert refusal(pool, transfer(nonce=3)) == "account limit exceeded: pooled 3 txs"

    def test_of_one_senders_bytes(self) -> None:
        pool = pool_with(sender_bytes=250)
        add(pool, transfer(nonce=0))
        add(pool, transfer(nonce=1))
        assert refusal(pool, transfer(nonce=2)) == "account limit exceeded: pooled 220 bytes"

    def test_of_the_configuration(self) -> None:
        with pytest.raises(ConfigError, match=r"mempool\.pool_count = 0"):
            MempoolConfig(pool_count=0)

    def test_a_burst_is_welcome_while_there_is_room(self) -> None:
        pool = pool_with()
        for nonce in range(4_096):
            add(pool, transfer(nonce=nonce))
        assert pool.held_count == 4_096
        assert refusal(pool, transfer(nonce=4_096)) == "account limit exceeded: pooled 4096 txs"


class TestEviction:
    def test_queued_ones_go_before_executable_ones(self) -> None:
        pool = pool_with(pool_count=4)
        for sender, nonce in ((1, 0), (2, 5), (2, 6), (3, 9)):
            add(pool, transfer(sender, nonce, fee_cap=100 * GWEI))
        add(pool, transfer(4, fee_cap=GWEI))
        assert dropped(pool) == [(2, 6, Reason.EVICTED)]
        assert len(pool._by_hash) == 4

    def test_a_queued_one_never_displaces_an_executable_one(self) -> None:
        pool = pool_with(pool_count=2)
        add(pool, transfer(1, fee_cap=GWEI))
        add(pool, transfer(2, fee_cap=GWEI))
        assert refusal(pool, transfer(3, nonce=1, fee_cap=900 * GWEI)) == "txpool is full"
        assert ready(pool) == [(1, 0), (2, 0)]

    def test_queued_room_is_shared_by_sender(self) -> None:
        pool = pool_with(queued_count=4)
        for nonce in range(1, 5):
            add(pool, transfer(1, nonce))
        add(pool, transfer(2, nonce=1))
        add(pool, transfer(3, nonce=1))
        assert dropped(pool) == [(1, 4, Reason.EVICTED), (1, 3, Reason.EVICTED)]
        assert refusal(pool, transfer(2, nonce=2)) == "txpool is full"

    def test_whoever_is_within_the_share_displaces_the_largest_beyond_it(self) -> None:
        pool = pool_with(pool_count=8, sender_guaranteed_count=2)
        for nonce in range(5):
            add(pool, transfer(1, nonce, fee_cap=500 * GWEI))
        for nonce in range(3):
            add(pool, transfer(2, nonce, fee_cap=500 * GWEI))
        add(pool, transfer(3, 0, fee_cap=GWEI))
        add(pool, transfer(3, 1, fee_cap=GWEI))
        assert dropped(pool) == [(1, 4, Reason.EVICTED), (1, 3, Reason.EVICTED)]
        assert refusal(pool, transfer(3, 2, fee_cap=900 * GWEI)) == "txpool is full"

    def test_among_equals_the_better_payer_stays(self) -> None:
        pool = pool_with(pool_count=3)
        add(pool, transfer(1, 0, fee_cap=5 * GWEI))
        add(pool, transfer(1, 1, fee_cap=90 * GWEI))
        add(pool, transfer(2, 0, fee_cap=8 * GWEI))
        assert refusal(pool, transfer(3, fee_cap=5 * GWEI)) == "transaction underpriced"
        add(pool, transfer(3, fee_cap=6 * GWEI))
        # The last of the cheapest one's sender goes: it is worth no more than what must come before it.
        assert dropped(pool) == [(1, 1, Reason.EVICTED)]
        assert (ready(pool), pool.queued_count) == ([(1, 0), (2, 0), (3, 0)], 0)

    def test_by_bytes(self) -> None:
        pool = pool_with(pool_bytes=500)
        for nonce in range(1, 5):
            add(pool, transfer(1, nonce))
        add(pool, transfer(2, size=300))
        assert dropped(pool) == [(1, n, Reason.EVICTED) for n in (4, 3, 2)]
        assert refusal(pool, transfer(3, fee_cap=9 * GWEI, size=501)) == "txpool is full"
        assert pool.size_bytes == 410, "a refusal must not have evicted anything"

    def test_staged_ones_are_safe(self) -> None:
        pool = pool_with(pool_count=1)
        first = add(pool, transfer(1, fee_cap=GWEI))
        pool.stage([first])
        with pytest.raises(Rejected):
            add(pool, transfer(2, fee_cap=900 * GWEI))
        assert pool.get(first.transaction.hash) is first


class TestExecution:
    def test_stage_hides_restore_shows_included_forgets(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(3)]
        pool.stage(taken[:2])
        assert ready(pool) == [(1, 2)]
        assert (pool.held_count, pool.next_nonce(address(1), 0)) == (3, 3)
        assert refusal(pool, transfer(nonce=1, fee_cap=90 * GWEI)) == "nonce too low: next nonce 2, tx nonce 1"
        pool.restore(taken[:2])
        assert ready(pool) == [(1, 0), (1, 1), (1, 2)]
        pool.stage(taken)
        pool.included(taken, {address(1): account(3)})
        assert (pool.held_count, pool.size_bytes, pool.account(address(1))) == (0, 0, None)

    def test_restored_ones_keep_their_place_in_the_line(self) -> None:
        pool = pool_with()
        first, second = add(pool, transfer(1)), add(pool, transfer(2))
        pool.stage([first, second])
        add(pool, transfer(3))
        pool.restore([first, second])
        assert ready(pool) == [(1, 0), (2, 0), (3, 0)]

    def test_a_rewound_one_that_can_no_longer_be_paid_for_is_queued(self) -> None:
        pool = pool_with()
        taken = add(pool, transfer())
        pool.stage([taken])
        pool.observe(address(1), account(0, 0))
        pool.restore([taken])
        assert (ready(pool), pool.queued_count) == ([], 1)

    def test_inclusion_revalidates_the_rest(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(4)]
        pool.stage(taken[:1])
        pool.included(taken[:1], {address(1): account(1, COST)})
        assert (ready(pool), pool.queued_count) == ([(1, 1)], 2)

    def test_a_view_older_than_the_pools_own_is_ignored(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(2)]
        pool.stage(taken[:1])
        pool.included(taken[:1], {address(1): account(1)})
        pool.observe(address(1), account(0, 0))
        assert ready(pool) == [(1, 1)]

    def test_a_view_ahead_of_the_pool_takes_nothing_that_is_being_executed(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(2)]
        pool.observe(address(1), account(2, 0))
        pool.stage(taken)
        pool.included(taken, {})
        assert dropped(pool) == []

    def test_refused_by_execution(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(3)]
        pool.drop(taken[0], Reason.INSUFFICIENT_FUNDS)
        assert (ready(pool), pool.queued_count) == ([], 2)
        assert dropped(pool) == [(1, 0, Reason.INSUFFICIENT_FUNDS)]
        pool.drop(taken[0], Reason.INSUFFICIENT_FUNDS)
        assert dropped(pool) == []

    def test_refused_while_staged(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(4)]
        pool.stage(taken[:3])
        pool.drop(taken[1], Reason.INSUFFICIENT_FUNDS)
        pool.restore(taken[2:3])
        assert (ready(pool), pool.held_count, pool.queued_count) == ([], 1, 2)
        add(pool, transfer(nonce=1, fee_cap=GWEI))
        assert ready(pool) == [(1, 1), (1, 2), (1, 3)]

    def test_a_used_nonce_found_while_staged(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(3)]
        pool.stage(taken[:2])
        pool.drop(taken[0], Reason.NONCE_TOO_LOW)
        pool.restore(taken[1:2])
        assert ready(pool) == [(1, 1), (1, 2)]

    def test_a_nonce_that_was_used_elsewhere_does_not_hold_up_the_rest(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(3)]
        pool.drop(taken[0], Reason.NONCE_TOO_LOW)
        assert ready(pool) == [(1, 1), (1, 2)]
        pool.stage(taken[2:])
        assert dropped(pool) == [(1, 0, Reason.NONCE_TOO_LOW), (1, 1, Reason.NONCE_TOO_LOW)]

    def test_another_transaction_took_the_nonce(self) -> None:
        pool = pool_with()
        add(pool, transfer(nonce=0))
        add(pool, transfer(nonce=1))
        foreign = Pool(MempoolConfig()).add(transfer(nonce=0, fee_cap=7 * GWEI), 0, 0, account())
        pool.included([foreign], {address(1): account(1)})
        assert (ready(pool), dropped(pool)) == ([(1, 1)], [(1, 0, Reason.NONCE_TOO_LOW)])

    def test_the_account_moved_on_without_the_pool(self) -> None:
        pool = pool_with()
        for nonce in (1, 3):
            add(pool, transfer(nonce=nonce))
        pool.observe(address(1), account(3))
        assert (ready(pool), dropped(pool)) == ([(1, 3)], [(1, 1, Reason.NONCE_TOO_LOW)])

    def test_a_demoted_burst_keeps_no_more_than_the_queued_limit(self) -> None:
        pool = pool_with()
        taken = [add(pool, transfer(nonce=nonce)) for nonce in range(200)]
        pool.drop(taken[0], Reason.INSUFFICIENT_FUNDS)
        assert (pool.held_count, pool.queued_count) == (0, 64)
        assert min(n for _, n, reason in dropped(pool) if reason is Reason.ACCOUNT_LIMIT) == 65


class TestBaseFee:
    def test_hides_and_shows(self) -> None:
        pool = pool_with()
        for sender, fee_cap in ((1, 30), (2, 10), (3, 20)):
            add(pool, transfer(sender, fee_cap=fee_cap))
        add(pool, transfer(1, nonce=1, fee_cap=15))
        pool.ready.set_base_fee(20)
        assert ready(pool) == [(1, 0), (3, 0)]
        pool.ready.set_base_fee(31)
        assert (ready(pool), pool.ready.any()) == ([], False)
        assert pool.held_count == 4
        pool.ready.set_base_fee(10)
        assert ready(pool) == [(1, 0), (1, 1), (2, 0), (3, 0)]

    def test_a_replacement_comes_back_into_sight(self) -> None:
        pool = pool_with()
        add(pool, transfer(1, fee_cap=10))
        pool.ready.set_base_fee(20)
        assert ready(pool) == []
        add(pool, transfer(1, fee_cap=25))
        assert ready(pool) == [(1, 0)]


def test_expiry_takes_queued_ones_only() -> None:
    pool = pool_with(queued_lifetime_ms=1_000)
    add(pool, transfer(1))
    add(pool, transfer(2, nonce=4))
    pool.add(transfer(2, nonce=5), 1_500, 0)
    pool.expire(2_001)
    assert dropped(pool) == [(2, 4, Reason.EXPIRED)]
    pool.expire(10_000)
    assert (pool.held_count, pool.queued_count) == (1, 0)


def test_the_record_of_drops_is_bounded() -> None:
    record = DropRecord(2)
    hashes = [keccak256(bytes([n])) for n in range(3)]
    for transaction_hash in hashes:
        record.add(transaction_hash, Reason.POOL_FULL)
    assert [record.reason(h) for h in hashes] == [None, Reason.POOL_FULL, Reason.POOL_FULL]
    record.forget(hashes[2])
    assert record.reason(hashes[2]) is None
