"""Bundles: transactions that are placed together and in their order, or not at all.

A bundle waits outside the senders' queues: its transactions may follow on each other across senders, and what
becomes of them is found by trying. It is tried at most once a block and a few times in all, because trying
costs the node work that nobody pays for when it fails. Pure; every number has its bound in ``MempoolConfig``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mempool.config import MempoolConfig
from sequencer.core.errors import Reason, Rejected
from sequencer.core.keccak import keccak256
from sequencer.core.transaction import PooledTransaction, Transaction
from sequencer.core.types import UINT64_MAX, Hash32

ORIGIN_BUNDLE: Final = 2
"""The origin in the arrival records of a bundle's transactions, which also share one sequence number."""


@dataclass(frozen=True, slots=True)
class BundleTerms:
    """When a bundle may be placed: blocks and unix seconds, both ends included. ``may_revert`` are hashes of
    transactions that may fail without undoing the bundle."""

    first_block: int = 0
    last_block: int = UINT64_MAX
    not_before_s: int = 0
    not_after_s: int = UINT64_MAX
    may_revert: frozenset[Hash32] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle that waits. ``hash`` is keccak256 of its transactions' hashes put together."""

    hash: Hash32
    transactions: tuple[PooledTransaction, ...]
    terms: BundleTerms

    @property
    def may_revert(self) -> frozenset[Hash32]:
        """See ``BundleTerms``."""
        return self.terms.may_revert


def bundle_hash(transactions: Iterable[Transaction]) -> Hash32:
    """What a bundle is called."""
    return keccak256(b"".join(transaction.hash for transaction in transactions))


class BundlePool:
    """Bundles in the order in which they came."""

    def __init__(self, config: MempoolConfig) -> None:
        self._config = config
        self._bundles: dict[Hash32, Bundle] = {}
        self._tries: dict[Hash32, int] = {}
        self._tried: set[Hash32] = set()
        self._block = 0
        self._time_s = 0

    def __len__(self) -> int:
        return len(self._bundles)

    def check(self, transactions: Sequence[Transaction], terms: BundleTerms) -> Hash32:
        """The hash of a bundle that may come in. Raises ``Rejected``."""
        config = self._config
        if not 1 <= len(transactions) <= config.bundle_transactions:
            raise Rejected(Reason.MALFORMED, f"a bundle has 1 to {config.bundle_transactions} transactions")
        if not terms.first_block <= terms.last_block or not terms.not_before_s <= terms.not_after_s:
            raise Rejected(Reason.MALFORMED, "the range of the bundle is empty")
        if terms.last_block <= self._block or terms.not_after_s < self._time_s:
            raise Rejected(Reason.EXPIRED, "the range of the bundle is over")
        if terms.first_block > self._block + config.bundle_blocks:
            raise Rejected(Reason.MALFORMED, f"the bundle begins more than {config.bundle_blocks} blocks ahead")
        name = bundle_hash(transactions)
        if name in self._bundles:
            raise Rejected(Reason.ALREADY_KNOWN)
        if len(self._bundles) >= config.bundle_count:
            raise Rejected(Reason.POOL_FULL, "too many bundles wait")
        return name

    def add(self, bundle: Bundle) -> None:
        """Take in what ``check`` allowed."""
        self._bundles[bundle.hash] = bundle

    def open_block(self, number: int, timestamp_s: int) -> None:
        """A block begins: what is over goes, what failed in the block before may be tried again."""
        self._block, self._time_s = number, timestamp_s
        self._tried.clear()
        for bundle in list(self._bundles.values()):
            terms = bundle.terms
            over = terms.last_block < number or terms.not_after_s < timestamp_s
            if over or self._tries.get(bundle.hash, 0) >= self._config.bundle_tries:
                self._forget(bundle)

    def next(self) -> Bundle | None:
        """The earliest one that may be placed now and was not tried in this block."""
        if len(self._tried) >= self._config.bundle_tries_per_block:
            return None
        for bundle in self._bundles.values():
            terms = bundle.terms
            if (
                terms.first_block <= self._block <= terms.last_block
                and terms.not_before_s <= self._time_s <= terms.not_after_s
                and bundle.hash not in self._tried
            ):
                return bundle
        return None

    def settle(self, bundle: Bundle, placed: bool) -> None:
        """It was tried: it stands in the block, or it left no trace there."""
        if placed:
            self._forget(bundle)
        else:
            self._tried.add(bundle.hash)
            self._tries[bundle.hash] = self._tries.get(bundle.hash, 0) + 1

    def _forget(self, bundle: Bundle) -> None:
        self._bundles.pop(bundle.hash, None)
        self._tries.pop(bundle.hash, None)
