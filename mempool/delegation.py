"""Accounts that are about to run another's code, because a pooled transaction carries their authorization.

Once such a transaction is executed, one call by anybody can empty the account. So while it waits, the account
is treated as if it were delegated already (EIP-7702, ``MempoolConfig.delegated_count``).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sequencer.core import rlp, secp256k1
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address, Hash32

_MAGIC: Final = b"\x05"
"""Domain of an authorization's signature (EIP-7702)."""


class Delegations:
    """Which pooled transactions would delegate which accounts."""

    def __init__(self) -> None:
        self._by_transaction: dict[Hash32, tuple[Address, ...]] = {}
        self._pending: dict[Address, int] = {}

    def add(self, transaction_hash: Hash32, authorities: Iterable[Address]) -> None:
        """The transaction is in the pool."""
        distinct = tuple(dict.fromkeys(authorities))
        if distinct:
            self._by_transaction[transaction_hash] = distinct
        for authority in distinct:
            self._pending[authority] = self._pending.get(authority, 0) + 1

    def remove(self, transaction_hash: Hash32) -> None:
        """It left."""
        for authority in self._by_transaction.pop(transaction_hash, ()):
            left = self._pending.pop(authority) - 1
            if left:
                self._pending[authority] = left

    def pending(self, address: Address) -> bool:
        """A pooled transaction would delegate the account."""
        return address in self._pending


def authorities(transaction: Transaction, chain_id: int) -> Sequence[Address]:
    """The accounts whose authorization the transaction carries, as far as it can take effect on this chain.

    Recovers a signature each: not for the event loop.
    """
    found: list[Address] = []
    for authorization in transaction.authorizations:
        if authorization.chain_id not in (0, chain_id):
            continue
        message = [rlp.uint(authorization.chain_id), authorization.address, rlp.uint(authorization.nonce)]
        digest = keccak256(_MAGIC + rlp.encode(message))
        try:
            found.append(secp256k1.recover(digest, authorization.r, authorization.s, authorization.y_parity))
        except Malformed:
            continue
    return found
