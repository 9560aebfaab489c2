"""Evidence: faults of sequencers that signed objects alone prove (protocol, section 6).

Self-contained and verifiable by anyone, here and by ``contracts/src/EvidenceLib.sol``, check for check; the
two share golden vectors. A half says what was signed and not by whom: the signer is recovered, so that no
stated name can be believed. The proofs are sound because of what a correct sequencer keeps:

- all flashblocks that it signs within one reset are on one chain, whose places (block number, index) ascend;
- the indexes of a block are counted from 0 without gaps;
- every batch header that it signs holds exactly the flashblocks of its blocks, in order;
- it signs one batch header a sequence number.

``docs/evidence.md`` draws the proofs and derives that such a sequencer can never be convicted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, TypeAlias

from sequencer.core import merkle, secp256k1
from sequencer.core.batch import BatchHeader, flashblock_place_leaf
from sequencer.core.eip712 import Domain, word
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import FLASHBLOCK_TYPE, Flashblock
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32, Signature

_FLASHBLOCK_ENCODING_BYTES: Final = 14 * 32
_FLASHBLOCK_TYPE_HASH: Final = keccak256(FLASHBLOCK_TYPE.encode())

Place: TypeAlias = tuple[int, int]
"""Block number and index: where a flashblock stands. Compares in the order of the chain."""


class Fault(Enum):
    """The faults. The value is part of every evidence id and the number of the contract's enumeration."""

    E1 = 1
    """Equivocation: two signed flashblocks that are not on one chain."""
    E2 = 2
    """A promise that a batch of the same key contradicts."""
    E3 = 3
    """Two batches of one sequence number."""


class Flaw(StrEnum):
    """Why evidence proves nothing. The value is the name of the contract's error."""

    BAD_SIGNATURE = "BadSignature"
    DIFFERENT_SIGNERS = "DifferentSigners"
    DIFFERENT_RESETS = "DifferentResets"
    SAME_OBJECT = "SameObject"
    BROKEN_LINK = "BrokenLink"
    NEEDLESS_LINKS = "NeedlessLinks"
    ON_ONE_CHAIN = "OnOneChain"
    UNLINKED = "Unlinked"
    NOT_COVERED = "NotCovered"
    PROMISE_KEPT = "PromiseKept"
    BAD_BRANCH = "BadBranch"
    NOT_OMITTED = "NotOmitted"
    DIFFERENT_SEQUENCES = "DifferentSequences"
    FOREIGN_DOMAIN = "ForeignDomain"
    """The evidence is of another chain than the one asked about. The contract takes every chain."""


@dataclass(frozen=True, slots=True)
class SignedPromise:
    """A flashblock under one signature, of its leader or of a member that attests it."""

    flashblock: Flashblock
    signature: Signature

    @property
    def place(self) -> Place:
        """Where the flashblock stands."""
        return place_of(self.flashblock)


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A batch header under one signature."""

    header: BatchHeader
    signature: Signature


@dataclass(frozen=True, slots=True)
class PlaceLeaf:
    """A leaf of ``flashblocksRoot`` and the siblings from it up to the root."""

    position: int
    block_number: int
    index: int
    struct_hash: Hash32
    branch: tuple[Hash32, ...]

    @property
    def place(self) -> Place:
        """Where the flashblock of this leaf stands."""
        return self.block_number, self.index


@dataclass(frozen=True, slots=True)
class Equivocation:
    """E1. The halves in either order.

    ``links`` are the unsigned ancestors of the later half, newest first, up to and including the first one
    that does not stand above the earlier half. ``root`` is empty unless the later half's chain begins above
    the earlier half with another parent than the genesis block: then it is what that parent is the hash of.
    """

    domain: Domain
    a: SignedPromise
    b: SignedPromise
    links: tuple[Flashblock, ...] = ()
    root: bytes = b""


@dataclass(frozen=True, slots=True)
class ContradictedPromise:
    """E2. One leaf with another hash at the promise's place; or two adjacent ones around it; or the first one,
    above it; or the last one, below it; or none if the batch claims to hold no flashblock."""

    domain: Domain
    promised: SignedPromise
    batch: SignedHeader
    leaves: tuple[PlaceLeaf, ...]


@dataclass(frozen=True, slots=True)
class DoubleBatch:
    """E3. The halves in either order."""

    domain: Domain
    a: SignedHeader
    b: SignedHeader


Evidence: TypeAlias = Equivocation | ContradictedPromise | DoubleBatch


@dataclass(frozen=True, slots=True)
class Verdict:
    """What evidence proves: against whom and under which id, or nothing, and why."""

    fault: Fault
    offender: Address | None
    id: Hash32 | None
    flaw: Flaw | None = None
    reason: str = ""

    @property
    def valid(self) -> bool:
        """The fault is proven."""
        return self.flaw is None


def verify(evidence: Evidence, domain: Domain | None = None) -> Verdict:
    """The verdict on ``evidence``; on evidence of this ``domain`` alone when it is given."""
    fault = fault_of(evidence)
    try:
        _require_domain(evidence.domain, domain)
        match evidence:
            case Equivocation():
                offender, hashes = _equivocation(evidence)
            case ContradictedPromise():
                offender, hashes = _contradicted_promise(evidence)
            case DoubleBatch():
                offender, hashes = _double_batch(evidence)
    except _UnprovenError as unproven:
        return Verdict(fault, None, None, unproven.flaw, str(unproven))
    return Verdict(fault, offender, _evidence_id(fault, evidence.domain, offender, hashes))


def fault_of(evidence: Evidence) -> Fault:
    """The fault that ``evidence`` is meant to prove."""
    match evidence:
        case Equivocation():
            return Fault.E1
        case ContradictedPromise():
            return Fault.E2
        case DoubleBatch():
            return Fault.E3


def place_of(flashblock: Flashblock) -> Place:
    """Where ``flashblock`` stands."""
    return flashblock.block_number, flashblock.index


def signer_of(domain: Domain, signed: SignedPromise | SignedHeader) -> Address:
    """Who signed. Raises ``Malformed`` if no key did, or not strictly."""
    struct = signed.flashblock if isinstance(signed, SignedPromise) else signed.header
    return secp256k1.recover_signature(domain.digest(struct.struct_hash), signed.signature)


def decides(ancestor: Flashblock, earlier: Flashblock) -> bool:
    """A walk down from a later flashblock ends at ``ancestor``: the first that is not above ``earlier``, or that
    is of another reset. On a correct chain it is ``earlier`` itself."""
    return ancestor.reset != earlier.reset or place_of(ancestor) <= place_of(earlier)


def is_predecessor_place(earlier: Flashblock, later: Flashblock) -> bool:
    """Whatever the parent of ``later`` is, it claims the place of ``earlier``: indexes have no gaps."""
    return (later.block_number, later.index) == (earlier.block_number, earlier.index + 1)


class _UnprovenError(Exception):
    def __init__(self, flaw: Flaw, reason: str) -> None:
        super().__init__(reason)
        self.flaw = flaw


def _require_domain(stated: Domain, wanted: Domain | None) -> None:
    if wanted is not None and stated != wanted:
        raise _UnprovenError(Flaw.FOREIGN_DOMAIN, "it is about another chain")


def _equivocation(evidence: Equivocation) -> tuple[Address, tuple[Hash32, Hash32]]:
    a, b = evidence.a.flashblock, evidence.b.flashblock
    _require_different(a, b)
    offender = _one_signer(evidence.domain, evidence.a, evidence.b)
    root_decides = False
    if place_of(a) == place_of(b):
        if evidence.links:
            raise _UnprovenError(Flaw.NEEDLESS_LINKS, "flashblocks of the same place need no links")
    elif place_of(a) < place_of(b):
        root_decides = _require_fork(a, b, evidence)
    else:
        root_decides = _require_fork(b, a, evidence)
    if evidence.root and not root_decides:
        raise _UnprovenError(Flaw.NEEDLESS_LINKS, "the root decides nothing")
    return offender, _sorted(a.struct_hash, b.struct_hash)


def _require_fork(earlier: Flashblock, later: Flashblock, evidence: Equivocation) -> bool:
    """Walk from ``later`` towards ``earlier`` and find something else there. True if it took the root to decide."""
    current = later
    for at, link in enumerate(evidence.links):
        if link.struct_hash != current.parent:
            raise _UnprovenError(Flaw.BROKEN_LINK, f"link {at} is not the parent of the flashblock before it")
        if decides(link, earlier):
            if link.struct_hash == earlier.struct_hash:
                raise _UnprovenError(Flaw.ON_ONE_CHAIN, "the later flashblock descends from the earlier one")
            if at + 1 != len(evidence.links):
                raise _UnprovenError(Flaw.NEEDLESS_LINKS, f"link {at} decides, and more follow it")
            return False
        current = link
    if current.parent == earlier.struct_hash:
        raise _UnprovenError(Flaw.ON_ONE_CHAIN, "the later flashblock descends from the earlier one")
    if is_predecessor_place(earlier, current) or current.parent == evidence.domain.genesis_hash:
        return False
    if not _is_foreign_preimage(current.parent, evidence.root):
        raise _UnprovenError(Flaw.UNLINKED, "the links end above the earlier flashblock")
    return True


def _is_foreign_preimage(digest: Hash32, preimage: bytes) -> bool:
    """``digest`` is of something that is not a flashblock: nothing of the chain of promises lies below it."""
    is_flashblock = len(preimage) == _FLASHBLOCK_ENCODING_BYTES and preimage.startswith(_FLASHBLOCK_TYPE_HASH)
    return not is_flashblock and keccak256(preimage) == digest


def _contradicted_promise(evidence: ContradictedPromise) -> tuple[Address, tuple[Hash32, Hash32]]:
    promised, header = evidence.promised.flashblock, evidence.batch.header
    if promised.reset != header.reset:
        raise _UnprovenError(Flaw.DIFFERENT_RESETS, "promise and batch are of different resets")
    if not header.first_block <= promised.block_number <= header.last_block:
        raise _UnprovenError(Flaw.NOT_COVERED, f"the batch does not cover block {promised.block_number}")
    offender = _one_signer(evidence.domain, evidence.promised, evidence.batch)
    _require_contradiction(promised, header, evidence.leaves)
    return offender, (promised.struct_hash, header.struct_hash)


def _require_contradiction(promised: Flashblock, header: BatchHeader, leaves: Sequence[PlaceLeaf]) -> None:
    """Another hash at the promise's place, or no room for it between the leaves."""
    if not leaves:
        if header.flashblock_count:
            raise _UnprovenError(Flaw.NOT_OMITTED, "no leaf is shown of a batch that has some")
        return
    for at, leaf in enumerate(leaves):
        content = flashblock_place_leaf(leaf.block_number, leaf.index, leaf.struct_hash)
        root = merkle.root_from_branch(content, leaf.position, header.flashblock_count, leaf.branch)
        if root != header.flashblocks_root:
            raise _UnprovenError(Flaw.BAD_BRANCH, f"the branch of leaf {at} does not lead to flashblocksRoot")
    target, first = place_of(promised), leaves[0]
    if len(leaves) == 1:
        if first.place == target:
            if first.struct_hash == promised.struct_hash:
                raise _UnprovenError(Flaw.PROMISE_KEPT, "the batch holds the flashblock that was promised")
        elif first.position != (0 if first.place > target else header.flashblock_count - 1):
            raise _UnprovenError(Flaw.NOT_OMITTED, "the leaf is neither at the promise's place nor at an edge")
        return
    adjacent = len(leaves) == 2 and leaves[1].position == first.position + 1
    if not (adjacent and first.place < target < leaves[1].place):
        raise _UnprovenError(Flaw.NOT_OMITTED, "the leaves leave room for the promise's place")


def _double_batch(evidence: DoubleBatch) -> tuple[Address, tuple[Hash32, Hash32]]:
    a, b = evidence.a.header, evidence.b.header
    _require_different(a, b)
    if a.sequence != b.sequence:
        raise _UnprovenError(Flaw.DIFFERENT_SEQUENCES, "the batches have different sequence numbers")
    return _one_signer(evidence.domain, evidence.a, evidence.b), _sorted(a.struct_hash, b.struct_hash)


def _require_different(a: Flashblock | BatchHeader, b: Flashblock | BatchHeader) -> None:
    if a.struct_hash == b.struct_hash:
        raise _UnprovenError(Flaw.SAME_OBJECT, "both halves are the same object")
    if a.reset != b.reset:
        raise _UnprovenError(Flaw.DIFFERENT_RESETS, "the halves are of different resets")


def _one_signer(domain: Domain, a: SignedPromise | SignedHeader, b: SignedPromise | SignedHeader) -> Address:
    try:
        first, second = signer_of(domain, a), signer_of(domain, b)
    except Malformed as error:
        raise _UnprovenError(Flaw.BAD_SIGNATURE, str(error)) from None
    if first != second:
        raise _UnprovenError(Flaw.DIFFERENT_SIGNERS, f"0x{first.hex()} signed one half, 0x{second.hex()} the other")
    return first


def _sorted(a: Hash32, b: Hash32) -> tuple[Hash32, Hash32]:
    return (a, b) if a < b else (b, a)


def _evidence_id(fault: Fault, domain: Domain, offender: Address, hashes: tuple[Hash32, Hash32]) -> Hash32:
    """keccak256(abi.encode(fault, domainSeparator, offender, first, second)).

    Neither signatures nor links enter it: a key can sign one digest in many ways, and a fault is reported once.
    """
    return keccak256(word(fault.value) + domain.separator + word(offender) + hashes[0] + hashes[1])
