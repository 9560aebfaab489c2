"""Commit and reveal: a transaction gets its place before anyone, the sequencer included, knows what it says.

Any wallet can use it, with two ordinary transactions::

    block N        commit   nonce n,     to = registry, data = hash of the hidden transaction (32 bytes)
    ...                     the hidden transaction stays with its sender; its hash gives nothing away
    block N + d    reveal   nonce n + 1, the hidden transaction itself, sent as any other before this block

``d`` is ``delay_blocks``. From block N + d on, revealed transactions come first, in the order of their
commitments; nothing that was revealed runs earlier. A commitment whose transaction is not there when its
turn has come is passed over and forfeited: sent later, its transaction is one like any other. Ordinary
transactions, commitments among them, stand in order of arrival behind the revealed ones.

Commitment and place are read from the chain alone. The hash covers the signature, which nobody can guess, so
no salt is needed. Only a commitment by the sender of the hidden transaction counts, and only the first one, so
nobody can hold up another's transaction by committing to its hash.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from sequencer.core.transaction import PooledTransaction
from sequencer.core.types import Address, Hash32
from sequencer.ordering.parameters import Parameters
from sequencer.ordering.ranked import Rank, RankedPolicy

REGISTRY: Final = Address(bytes(17) + b"\x0c\x0d\x0e")
"""Where commitments are sent unless the parameter ``registry`` names another address. It needs no code."""
_REVEALED, _ORDINARY = 0, 1


@dataclass(frozen=True, slots=True)
class Commitment:
    """``place`` counts commitments; the transaction may run from block ``due`` on."""

    place: int
    due: int


class CommitReveal(RankedPolicy):
    """``delay_blocks``: 1 to 64, by default 2. ``registry``: an address, by default ``REGISTRY``. Takes no
    bundles: what stands around a hidden transaction must not be arranged."""

    takes_bundles = False

    def read(self, parameters: Parameters) -> None:
        """Both."""
        self._delay = parameters.integer("delay_blocks", 2, 1, 64)
        self._registry = parameters.address("registry") or REGISTRY
        self.history_blocks = 2 * self._delay
        self._open: OrderedDict[tuple[Address, Hash32], Commitment] = OrderedDict()
        self._block = 0
        self._next_place = 0

    def rank(self, pooled: PooledTransaction, base_fee_wei: int, ahead: int = 0) -> Rank | None:  # noqa: ARG002
        """By place if it was committed to and is due, by arrival if not, none while it must wait."""
        commitment = self._open.get((pooled.transaction.sender, pooled.transaction.hash))
        if commitment is None:
            return _ORDINARY, pooled.arrival.sequence
        return (_REVEALED, commitment.place) if commitment.due <= self._block else None

    def floor(self, pooled: PooledTransaction) -> Rank:
        """A revealed transaction may be among those that arrived last."""
        return (_REVEALED,) if self._any_due() else (_ORDINARY, pooled.arrival.sequence)

    def opened(self, block_number: int) -> None:
        """A commitment that nothing passed over for as long as its sender had to wait is forfeited too, so
        that what is remembered is bounded by what was placed in ``history_blocks``."""
        self._block = block_number
        while self._open and next(iter(self._open.values())).due + self._delay < block_number:
            self._open.popitem(last=False)

    def placed(self, pooled: PooledTransaction) -> None:
        """Take commitments in, and forfeit those that were passed over."""
        transaction = pooled.transaction
        own = self._open.get((transaction.sender, transaction.hash))
        while self._any_due() and (own is None or self._first().place <= own.place):
            self._open.popitem(last=False)
        if transaction.to == self._registry and len(transaction.data) == 32:
            self._next_place += 1
            commitment = Commitment(self._next_place, self._block + self._delay)
            self._open.setdefault((transaction.sender, Hash32(transaction.data)), commitment)

    def _first(self) -> Commitment:
        return next(iter(self._open.values()))

    def _any_due(self) -> bool:
        return bool(self._open) and self._first().due <= self._block
