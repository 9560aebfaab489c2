"""The flashblock, the unit of pre-confirmation, and the proof that each user takes away (protocol, section 1).

A leader signs one ``Flashblock`` for a run of consecutive transactions of the open block. Two Merkle
roots stand in it, one over the order and one over the outcomes, so that a user can prove the place of a
transaction even where its outcome is disputed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Final

from sequencer.core import merkle, secp256k1
from sequencer.core.eip712 import Domain, word
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32, Signature

FLASHBLOCK_TYPE: Final = (
    "Flashblock(uint64 epoch,uint64 term,uint32 reset,uint64 blockNumber,uint32 index,uint32 firstPosition,"
    "uint32 transactionCount,bytes32 parent,bytes32 orderRoot,bytes32 outcomesRoot,bytes32 orderingPolicy,"
    "uint64 timestampMs,uint64 postBy)"
)
_TYPE_HASH: Final = keccak256(FLASHBLOCK_TYPE.encode())


@dataclass(frozen=True)
class Flashblock:
    """What is signed. Fields in the order of the EIP-712 type; ``post_by`` is unix seconds."""

    epoch: int
    term: int
    reset: int
    block_number: int
    index: int
    first_position: int
    transaction_count: int
    parent: Hash32
    order_root: Hash32
    outcomes_root: Hash32
    ordering_policy: Hash32
    timestamp_ms: int
    post_by: int

    @cached_property
    def struct_hash(self) -> Hash32:
        """The EIP-712 struct hash: the identity of this flashblock and the ``parent`` of the next."""
        return keccak256(_TYPE_HASH + b"".join(map(word, _VALUES(self))))


_VALUES = attrgetter(*(spec.name for spec in fields(Flashblock)))


def order_leaf(position: int, transaction_hash: Hash32) -> Hash32:
    """Leaf of ``orderRoot``: keccak256(0x00 || abi.encode(uint32 position, bytes32 txHash))."""
    return merkle.leaf(word(position) + transaction_hash)


def outcome_leaf(position: int, outcome_hash: Hash32) -> Hash32:
    """Leaf of ``outcomesRoot``: keccak256(0x00 || abi.encode(uint32 position, bytes32 outcomeHash))."""
    return merkle.leaf(word(position) + outcome_hash)


def order_leaves(first_position: int, hashes: Sequence[Hash32]) -> list[Hash32]:
    """The leaves of ``orderRoot`` for consecutive transactions."""
    return [order_leaf(first_position + i, h) for i, h in enumerate(hashes)]


def outcome_leaves(first_position: int, hashes: Sequence[Hash32]) -> list[Hash32]:
    """The leaves of ``outcomesRoot`` for consecutive transactions."""
    return [outcome_leaf(first_position + i, h) for i, h in enumerate(hashes)]


UNSIGNED: Final = Signature(bytes(65))
"""Where a signature will stand. It verifies for nobody."""


@dataclass(frozen=True, slots=True)
class SignedFlashblock:
    """A flashblock under one signature. Whoever signed it may not contradict it."""

    flashblock: Flashblock
    signer: Address
    signature: Signature


@dataclass(frozen=True, slots=True)
class Preconfirmation:
    """A user's proof: the signed flashblock and the two branches of one transaction. Verifies offline."""

    domain: Domain
    transaction_hash: Hash32
    position: int
    outcome_hash: Hash32
    signed: SignedFlashblock
    order_branch: tuple[Hash32, ...]
    outcome_branch: tuple[Hash32, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was verified, with the reason when it does not hold."""

    name: str
    ok: bool
    reason: str = ""


def verify(preconfirmation: Preconfirmation) -> list[Check]:
    """The checks that need nothing but the pre-confirmation itself: signature, order, outcome."""
    flashblock = preconfirmation.signed.flashblock
    index = preconfirmation.position - flashblock.first_position
    count = flashblock.transaction_count
    digest = preconfirmation.domain.digest(flashblock.struct_hash)
    order = merkle.root_from_branch(
        order_leaf(preconfirmation.position, preconfirmation.transaction_hash),
        index,
        count,
        preconfirmation.order_branch,
    )
    outcome = merkle.root_from_branch(
        outcome_leaf(preconfirmation.position, preconfirmation.outcome_hash),
        index,
        count,
        preconfirmation.outcome_branch,
    )
    return [
        _signature_check(digest, preconfirmation.signed),
        _check("order", order == flashblock.order_root, "the branch does not lead to orderRoot"),
        _check("outcome", outcome == flashblock.outcomes_root, "the branch does not lead to outcomesRoot"),
    ]


def _signature_check(digest: Hash32, signed: SignedFlashblock) -> Check:
    try:
        signer = secp256k1.recover_signature(digest, signed.signature)
    except Malformed as error:
        return Check("signature", False, str(error))
    return _check("signature", signer == signed.signer, f"signed by 0x{signer.hex()}, not by the stated signer")


def _check(name: str, ok: bool, reason: str) -> Check:
    return Check(name, ok, "" if ok else reason)
