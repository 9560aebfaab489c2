"""Building evidence out of objects that were signed. Pure.

A builder answers with evidence, or with why there is none: nothing is wrong, or an ancestor is not known.
What it builds has been verified, so nothing leaves here that a contract would refuse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from sequencer.core import merkle
from sequencer.core.batch import BatchHeader, flashblock_place_leaf
from sequencer.core.eip712 import Domain
from sequencer.core.evidence import (
    ContradictedPromise,
    DoubleBatch,
    Equivocation,
    Flaw,
    Place,
    PlaceLeaf,
    SignedHeader,
    SignedPromise,
    decides,
    is_predecessor_place,
    verify,
)
from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32

MAX_LINKS: Final = 3000
"""Ancestors in one piece of evidence: about what a transaction of 30 million gas carries. Who forks further apart
than this without a signature in between is convicted by the batches (E2)."""

Ancestor: TypeAlias = Flashblock | bytes | None
"""What a parent hash is of: a flashblock; the bytes of a block header, where a chain of promises begins; or unknown."""


_E = TypeVar("_E", Equivocation, ContradictedPromise, DoubleBatch)


@dataclass(frozen=True, slots=True)
class NoFault:
    """The halves do not contradict each other, for this reason."""

    flaw: Flaw
    reason: str


@dataclass(frozen=True, slots=True)
class MissingAncestor:
    """Whether there is a fault depends on the flashblock with this hash, which is not known."""

    struct_hash: Hash32


@dataclass(frozen=True, slots=True)
class BatchContents:
    """The flashblocks of a batch: place and struct hash of each leaf of its ``flashblocksRoot``, in order."""

    places: tuple[Place, ...]
    hashes: tuple[Hash32, ...]

    @classmethod
    def of(cls, flashblocks: Sequence[Flashblock]) -> "BatchContents":
        """From the flashblocks of the batch's body."""
        return cls(tuple((f.block_number, f.index) for f in flashblocks), tuple(f.struct_hash for f in flashblocks))

    def belong_to(self, header: BatchHeader) -> bool:
        """These are the leaves that the header commits to."""
        return len(self.hashes) == header.flashblock_count and merkle.root(self.leaves()) == header.flashblocks_root

    def leaves(self) -> list[Hash32]:
        """The hashes of the leaves."""
        return [flashblock_place_leaf(*place, h) for place, h in zip(self.places, self.hashes, strict=True)]


def equivocation(
    domain: Domain, a: SignedPromise, b: SignedPromise, parent_of: Callable[[Flashblock], Ancestor]
) -> Equivocation | NoFault | MissingAncestor:
    """E1. ``parent_of`` answers with what a flashblock's ``parent`` is the hash of, as far as it is known."""
    earlier, later = sorted((a, b), key=lambda signed: (signed.place, signed.flashblock.struct_hash))
    if earlier.place == later.place or earlier.flashblock.reset != later.flashblock.reset:
        return _checked(Equivocation(domain, earlier, later))
    walk = _walk(domain, earlier.flashblock, later.flashblock, parent_of)
    if isinstance(walk, MissingAncestor):
        return walk
    return _checked(Equivocation(domain, earlier, later, *walk))


def contradicted_promise(
    domain: Domain, promised: SignedPromise, batch: SignedHeader, contents: BatchContents
) -> ContradictedPromise | NoFault:
    """E2. ``contents`` are those that ``batch`` commits to."""
    places, target = contents.places, promised.place
    there = [at for at, place in enumerate(places) if place == target]
    others = [at for at in there if contents.hashes[at] != promised.flashblock.struct_hash]
    chosen = (others or there)[:1] or _around(places, target)
    tree = merkle.levels(contents.leaves())
    leaves = [PlaceLeaf(at, *places[at], contents.hashes[at], merkle.branch(tree, at)) for at in chosen]
    return _checked(ContradictedPromise(domain, promised, batch, tuple(leaves)))


def double_batch(domain: Domain, a: SignedHeader, b: SignedHeader) -> DoubleBatch | NoFault:
    """E3."""
    first, second = sorted((a, b), key=lambda signed: signed.header.struct_hash)
    return _checked(DoubleBatch(domain, first, second))


def empty_contents() -> BatchContents:
    """Of a batch whose header claims no flashblock, or whose body nobody has."""
    return BatchContents((), ())


def _walk(
    domain: Domain, earlier: Flashblock, later: Flashblock, parent_of: Callable[[Flashblock], Ancestor]
) -> tuple[tuple[Flashblock, ...], bytes] | MissingAncestor:
    """Links and root from ``later`` down to where it is decided whether it descends from ``earlier``."""
    links: list[Flashblock] = []
    current = later
    while len(links) < MAX_LINKS:
        parent = current.parent
        if parent in (earlier.struct_hash, domain.genesis_hash) or is_predecessor_place(earlier, current):
            return tuple(links), b""
        below = parent_of(current)
        if isinstance(below, bytes):
            return tuple(links), below
        if below is None:
            return MissingAncestor(parent)
        links.append(below)
        if decides(below, earlier):
            return tuple(links), b""
        current = below
    return MissingAncestor(current.parent)


def _around(places: Sequence[Place], target: Place) -> list[int]:
    """The leaves that leave no room for ``target``, which none of them has, whatever their order is."""
    if not places:
        return []
    if places[0] > target:
        return [0]
    if places[-1] < target:
        return [len(places) - 1]
    at = next(at for at in range(len(places) - 1) if places[at] < target < places[at + 1])
    return [at, at + 1]


def _checked(evidence: _E) -> _E | NoFault:
    verdict = verify(evidence)
    return NoFault(verdict.flaw, verdict.reason) if verdict.flaw else evidence
