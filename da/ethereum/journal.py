"""Every posting transaction that was ever signed, by nonce: written before it is sent.

It tells our own transactions from those of somebody else who uses the key, finds the hashes under which a posting may
have come into a block, and knows the fees that a replacement must beat, over restarts.

::

    key   "l1/" || nonce(8)
    row   version(1) = 1 || rlp([headerHash, place, [commitment ...], [hash ...], maxFee, tip, blobFee])
"""

from dataclasses import dataclass
from typing import Final

from da.ethereum.inbox import Place
from da.ethereum.transaction import Fees
from sequencer.core import rlp
from sequencer.core.errors import Malformed
from sequencer.core.ports import Storage
from sequencer.core.types import UINT64_MAX, Hash32

_PREFIX: Final = b"l1/"
_VERSION: Final = b"\x01"
KEPT: Final = 256
"""Nonces remembered; far more than a chain reorgs."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was signed for one nonce; the last fees, and every hash that it ever had."""

    nonce: int
    header_hash: Hash32
    place: Place
    commitments: tuple[Hash32, ...]
    hashes: tuple[Hash32, ...]
    fees: Fees


class Journal:
    """The rows in a store. Blocking."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, nonce: int) -> Sent | None:
        """What was signed for ``nonce``."""
        encoded = self._storage.get(_key(nonce))
        return decode(nonce, encoded) if encoded is not None else None

    def highest(self) -> int | None:
        """The newest nonce that we ever used; None if there is none."""
        for key, _ in self._storage.scan(_key(0), _key(UINT64_MAX), reverse=True):
            return int.from_bytes(key[len(_PREFIX) :], "big")
        return None

    def put(self, sent: Sent) -> None:
        """Write a row; those long past go."""
        old = [_key(sent.nonce - KEPT)] if sent.nonce >= KEPT else []
        self._storage.write({_key(sent.nonce): encode(sent)}, old)


def _key(nonce: int) -> bytes:
    return _PREFIX + nonce.to_bytes(8, "big")


def encode(sent: Sent) -> bytes:
    """The bytes of a row."""
    fees = sent.fees
    return _VERSION + rlp.encode(
        [
            sent.header_hash,
            rlp.uint(sent.place),
            list(sent.commitments),
            list(sent.hashes),
            rlp.uint(fees.max_fee),
            rlp.uint(fees.tip),
            rlp.uint(fees.blob_fee),
        ]
    )


def decode(nonce: int, encoded: bytes) -> Sent:
    """The row of ``nonce``. Raises ``Malformed``."""
    if encoded[:1] != _VERSION:
        raise Malformed("L1 journal: unknown row version")
    header_hash, place, commitments, hashes, *fees = rlp.as_list(rlp.decode_list(encoded[1:]), 7)
    number = rlp.as_uint(place, 8)
    if number not in set(Place):
        raise Malformed(f"L1 journal: unknown place {number}")
    return Sent(
        nonce,
        Hash32(rlp.as_fixed(header_hash, 32)),
        Place(number),
        tuple(Hash32(rlp.as_fixed(item, 32)) for item in rlp.as_list(commitments)),
        tuple(Hash32(rlp.as_fixed(item, 32)) for item in rlp.as_list(hashes)),
        Fees(*(rlp.as_uint(fee, 256) for fee in fees)),
    )
