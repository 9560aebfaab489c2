"""Which bundles wait, which one is next, and when one is given up."""

from dataclasses import replace

import pytest

from mempool.bundles import ORIGIN_BUNDLE, Bundle, BundlePool, BundleTerms, bundle_hash
from mempool.config import MempoolConfig
from sequencer.core.errors import Reason, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.ordering import ranked
from tests.unit.mempool.makers import transfer

CONFIG = replace(
    MempoolConfig(),
    bundle_count=3,
    bundle_transactions=2,
    bundle_blocks=10,
    bundle_tries=2,
    bundle_tries_per_block=2,
)


def put(pool: BundlePool, sender: int, terms: BundleTerms = BundleTerms(), count: int = 1) -> Bundle:  # noqa: B008
    transactions = [transfer(sender, nonce) for nonce in range(count)]
    name = pool.check(transactions, terms)
    members = tuple(PooledTransaction(t, Arrival(sender, 0, ORIGIN_BUNDLE)) for t in transactions)
    bundle = Bundle(name, members, terms)
    pool.add(bundle)
    return bundle


def opened(number: int = 5, timestamp_s: int = 1_000) -> BundlePool:
    pool = BundlePool(CONFIG)
    pool.open_block(number, timestamp_s)
    return pool


def refused(pool: BundlePool, sender: int, terms: BundleTerms = BundleTerms(), count: int = 1) -> Reason:  # noqa: B008
    with pytest.raises(Rejected) as refusal:
        put(pool, sender, terms, count)
    return refusal.value.reason


def test_the_origin_is_the_one_that_the_audit_knows() -> None:
    assert ORIGIN_BUNDLE == ranked.ORIGIN_BUNDLE


def test_a_bundle_is_called_by_the_hash_of_its_hashes() -> None:
    one, two = transfer(1), transfer(2)
    assert bundle_hash([one, two]) == keccak256(one.hash + two.hash) != bundle_hash([two, one])


def test_first_come_first_tried() -> None:
    pool = opened()
    first, second = put(pool, 1), put(pool, 2)
    assert pool.next() is first
    pool.settle(first, placed=True)
    assert pool.next() is second
    pool.settle(second, placed=True)
    assert (pool.next(), len(pool)) == (None, 0)


def test_one_that_failed_is_tried_again_in_the_next_block_until_it_is_given_up() -> None:
    pool = opened()
    bundle = put(pool, 1)
    pool.settle(bundle, placed=False)
    assert pool.next() is None
    pool.open_block(6, 1_001)
    assert pool.next() is bundle
    pool.settle(bundle, placed=False)
    pool.open_block(7, 1_002)
    assert (pool.next(), len(pool)) == (None, 0)


def test_failures_in_one_block_are_bounded() -> None:
    pool = opened()
    for sender in (1, 2, 3):
        put(pool, sender)
    for _ in range(2):
        bundle = pool.next()
        assert bundle is not None
        pool.settle(bundle, placed=False)
    assert pool.next() is None
    pool.open_block(6, 1_001)
    assert pool.next() is not None


@pytest.mark.parametrize(
    ("terms", "blocks"),
    [
        (BundleTerms(), [5, 6, 7, 8]),
        (BundleTerms(6, 7), [6, 7]),
        (BundleTerms(first_block=7), [7, 8]),
        (BundleTerms(last_block=6), [5, 6]),
        (BundleTerms(not_before_s=1_002), [7, 8]),
        (BundleTerms(not_after_s=1_001), [5, 6]),
    ],
)
def test_it_waits_for_its_range(terms: BundleTerms, blocks: list[int]) -> None:
    pool = BundlePool(CONFIG)
    pool.open_block(4, 999)
    put(pool, 1, terms)
    found = []
    for number in range(5, 9):
        pool.open_block(number, 995 + number)
        if pool.next():
            found.append(number)
    assert found == blocks


def test_what_is_over_is_forgotten() -> None:
    pool = opened(5)
    put(pool, 1, BundleTerms(last_block=6))
    pool.open_block(7, 1_002)
    assert len(pool) == 0


def test_refusals() -> None:
    pool = opened(5, 1_000)
    assert refused(pool, 1, count=0) is Reason.MALFORMED
    assert refused(pool, 1, count=3) is Reason.MALFORMED
    assert refused(pool, 1, BundleTerms(9, 8)) is Reason.MALFORMED
    assert refused(pool, 1, BundleTerms(0, 5)) is Reason.EXPIRED, "the open block may be over before it gets there"
    assert refused(pool, 1, BundleTerms(not_after_s=999)) is Reason.EXPIRED
    assert refused(pool, 1, BundleTerms(first_block=16)) is Reason.MALFORMED
    put(pool, 1)
    assert refused(pool, 1) is Reason.ALREADY_KNOWN
    put(pool, 2)
    put(pool, 3)
    assert refused(pool, 4) is Reason.POOL_FULL
