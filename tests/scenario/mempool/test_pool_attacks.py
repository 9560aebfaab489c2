"""Attacks on mempools that are known from the literature, and honest transactions that keep flowing.

DETER: Li et al., "DETER: Denial of Ethereum Txpool sERvices" (2021). MemPurge: Yaish et al., "Speculative
Denial-of-Service Attacks in Ethereum" (2023). The pools are small so that a story fits a page; every limit
keeps its proportion to the default.
"""

from dataclasses import replace

import pytest

from mempool.config import MempoolConfig
from mempool.pool import Pool
from sequencer.core.errors import Reason, Rejected
from sequencer.core.transaction import PooledTransaction, RecoveredTransaction
from tests.unit.mempool.makers import GWEI, account, address, transfer

SMALL = replace(
    MempoolConfig(),
    pool_count=1_000,
    queued_count=200,
    sender_executable_count=400,
    sender_queued_count=8,
    sender_guaranteed_count=4,
)
COST = 21_000 * 2 * GWEI
HONEST = range(1, 21)
ATTACKERS = range(1_000, 3_000)


def small_pool() -> Pool:
    return Pool(SMALL)


def offer(pool: Pool, transaction: RecoveredTransaction, balance_wei: int = 10**30) -> Reason | None:
    try:
        pool.add(transaction, 0, 0, account(0, balance_wei))
    except Rejected as refusal:
        return refusal.reason
    return None


def honest_executable(pool: Pool) -> set[tuple[int, int]]:
    found = set()
    for head in pool.ready.heads():
        pooled: PooledTransaction | None = head
        while pooled is not None:
            sender = int.from_bytes(pooled.transaction.sender)
            if sender in HONEST:
                found.add((sender, pooled.transaction.nonce))
            pooled = pool.ready.after(pooled)
    return found


def with_honest_ones(pool: Pool) -> set[tuple[int, int]]:
    for sender in HONEST:
        for nonce in range(3):
            assert offer(pool, transfer(sender, nonce)) is None
    return honest_executable(pool)


def test_deter_x_future_transactions_at_any_price_evict_nothing_executable() -> None:
    pool = small_pool()
    before = with_honest_ones(pool)
    for attacker in ATTACKERS:
        for nonce in range(1, 9):
            offer(pool, transfer(attacker, nonce, fee_cap=1_000 * GWEI))
    assert honest_executable(pool) == before
    assert pool.queued_count <= 200
    assert offer(pool, transfer(21)) is None, "an executable transaction finds room behind any number of queued ones"


def test_deter_z_overdrawn_transactions_are_refused_at_the_door() -> None:
    pool = small_pool()
    before = with_honest_ones(pool)
    balance = COST + 5
    answers = [offer(pool, transfer(1_000, nonce), balance) for nonce in range(400)]
    assert answers[0] is None
    assert set(answers[1:]) <= {Reason.INSUFFICIENT_FUNDS, Reason.NONCE_TOO_HIGH}
    assert pool.held_count == len(before) + 1


def test_mempurge_filling_the_gap_turns_only_what_is_paid_for_executable() -> None:
    """Each queued transaction is affordable by itself; together they overdraw the account many times."""
    pool = small_pool()
    before = with_honest_ones(pool)
    for attacker in range(1_000, 1_025):
        for nonce in range(1, 9):
            assert offer(pool, transfer(attacker, nonce), COST) is None
        assert offer(pool, transfer(attacker, 0), COST) is None
    assert pool.held_count == len(before) + 25, "one of nine each"
    assert honest_executable(pool) == before


def test_mempurge_a_replacement_cannot_empty_the_account_under_its_successors() -> None:
    pool = small_pool()
    balance = 4 * COST
    for nonce in range(4):
        assert offer(pool, transfer(1_000, nonce), balance) is None
    drain = transfer(1_000, 0, fee_cap=3 * GWEI, value=2 * COST)
    assert offer(pool, drain, balance) is Reason.INSUFFICIENT_FUNDS
    assert pool.held_count == 4


def test_latent_overdraft_costs_one_failed_execution_a_sender_not_one_a_transaction() -> None:
    """The account is emptied by another's call while its transactions wait: the first refusal by execution
    takes the whole tail out of the executable part."""
    pool = small_pool()
    before = with_honest_ones(pool)
    for nonce in range(300):
        assert offer(pool, transfer(1_000, nonce)) is None
    refusals = 0
    while pool.held_count > len(before):
        attack = next(h for h in pool.ready.heads() if h.transaction.sender == address(1_000))
        pool.stage([attack])
        pool.drop(attack, Reason.INSUFFICIENT_FUNDS)
        refusals += 1
    assert refusals == 1
    assert honest_executable(pool) == before


def test_replacement_churn_is_paid_for_by_the_bid() -> None:
    """Each replacement must bid a tenth more on both fees, so the balance ends the game after a few."""
    pool = small_pool()
    balance = 100 * COST
    fee_cap, rounds = 2 * GWEI, 0
    while offer(pool, transfer(1_000, 0, fee_cap=fee_cap), balance) is None:
        fee_cap = fee_cap * 11 // 10 + 1
        rounds += 1
    assert rounds < 50
    assert (pool.held_count, pool.size_bytes) == (1, 110)
    assert len(with_honest_ones(pool)) == 60


def test_churning_replacements_in_a_full_pool_push_nobody_out() -> None:
    """A replacement takes the place of its own, so however often an attacker bids, others keep theirs."""
    pool = small_pool()
    before = with_honest_ones(pool)
    for attacker in range(1_000, 1_000 + 940 // 4):
        for nonce in range(4):
            offer(pool, transfer(attacker, nonce, fee_cap=GWEI))
    for bid in range(1, 12):
        for attacker in range(1_000, 1_100):
            offer(pool, transfer(attacker, bid % 4, fee_cap=GWEI * 2**bid))
    assert honest_executable(pool) == before
    assert pool.held_count == 1_000


def test_an_account_that_others_can_empty_holds_one_place() -> None:
    """EIP-7702: with one call the attacker makes all of a delegated account's transactions worthless."""
    pool = small_pool()
    before = with_honest_ones(pool)
    for attacker in range(1_000, 1_200):
        pool.add(transfer(attacker, 0), 0, 0, account(delegated=True))
        for nonce in (1, 2):
            with pytest.raises(Rejected, match="delegated accounts"):
                pool.add(transfer(attacker, nonce), 0, 0, account(delegated=True))
    assert pool.held_count == len(before) + 200
    assert honest_executable(pool) == before


@pytest.mark.parametrize("attackers", [3, 250])
def test_a_pool_full_of_one_partys_transactions_still_takes_everybodys(attackers: int) -> None:
    """Whether few senders hold long runs or many hold their share: newcomers within the share get in."""
    pool = small_pool()
    for nonce in range(1_000 // attackers + 1):
        for attacker in range(1_000, 1_000 + attackers):
            offer(pool, transfer(attacker, nonce, fee_cap=GWEI))
    assert pool.held_count == 1_000
    assert len(with_honest_ones(pool)) == 60
    assert pool.held_count <= 1_000


def test_below_the_base_fee_nothing_holds_room_against_who_pays_it() -> None:
    pool = small_pool()
    pool.ready.set_base_fee(2 * GWEI)
    for attacker in ATTACKERS:
        offer(pool, transfer(attacker, 0, fee_cap=2 * GWEI - 1))
    assert (pool.held_count, pool.ready.any()) == (1_000, False)
    assert len(with_honest_ones(pool)) == 60


def test_a_flood_of_worthless_nonces_leaves_no_trace_in_memory() -> None:
    pool = small_pool()
    for attacker in ATTACKERS:
        assert offer(pool, transfer(attacker, 99)) is Reason.NONCE_TOO_HIGH
        assert offer(pool, transfer(attacker, 0), 1) is Reason.INSUFFICIENT_FUNDS
    assert (list(pool.senders()), pool.size_bytes) == ([], 0)
