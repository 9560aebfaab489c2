"""Compares what was signed with what else was signed, and with what was posted. Pure.

Feed it everything that anyone saw: signed flashblocks, batches from DA with their signatures, ancestors. It
answers with evidence, each piece verified and told once. It looks at neighbours only: if every two
neighbouring flashblocks of a key are on one chain then all of them are, because descent is transitive.

Everything is bounded (``WatchLimits``). What is forgotten to make room is counted in ``forgotten``: evidence
that would have needed it is lost, so the limits hold far more than a promise window at full load.
"""

from bisect import bisect_left, insort
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sequencer.beacon.slashing import (
    Ancestor,
    BatchContents,
    MissingAncestor,
    NoFault,
    contradicted_promise,
    double_batch,
    empty_contents,
    equivocation,
)
from sequencer.core.batch import BatchHeader
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Malformed
from sequencer.core.evidence import Evidence, Fault, Place, SignedHeader, SignedPromise, signer_of, verify
from sequencer.core.flashblock import Flashblock
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32, Signature

Line: TypeAlias = tuple[Address, int]
"""A key and a reset: within one, everything that is signed must be on one chain."""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """How much a watcher keeps in memory; the oldest goes first."""

    promises: int = 1 << 17
    ancestors: int = 1 << 18
    batches: int = 1 << 12
    batch_places: int = 1 << 19
    open_questions: int = 1 << 10
    promises_per_question: int = 16
    evidence_per_fault: int = 16
    """Of one key: who signs two chains side by side for an hour is convicted by the first ones."""
    offenders: int = 1 << 12


@dataclass(frozen=True, slots=True)
class PostedBatch:
    """A batch as it stands on DA. ``flashblocks`` is None if its body is not the one that its header commits to."""

    header: BatchHeader
    signatures: tuple[Signature, ...]
    flashblocks: tuple[Flashblock, ...] | None


@dataclass(slots=True)
class _Signed:
    """The promises of one line, by place."""

    places: list[Place] = field(default_factory=list)
    promises: dict[Place, SignedPromise] = field(default_factory=dict)

    def between(self, first_block: int, last_block: int) -> list[SignedPromise]:
        start, stop = bisect_left(self.places, (first_block, 0)), bisect_left(self.places, (last_block + 1, 0))
        return [self.promises[place] for place in self.places[start:stop]]


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch under one key's signature. ``contents`` is None where the leaves are not known."""

    signed: SignedHeader
    contents: BatchContents | None


NO_MEMBERS: Final[frozenset[Address]] = frozenset()


class Watcher:
    """One chain's watcher. With ``members`` it minds these keys only; else whoever signs."""

    def __init__(
        self, domain: Domain, members: frozenset[Address] = NO_MEMBERS, limits: WatchLimits | None = None
    ) -> None:
        self._domain = domain
        self._members = members
        self._limits = limits or WatchLimits()
        self._lines: dict[Line, _Signed] = defaultdict(_Signed)
        self._arrivals: deque[tuple[Line, Place]] = deque()
        self._ancestors: OrderedDict[Hash32, Flashblock | bytes] = OrderedDict()
        self._questions: OrderedDict[Hash32, list[tuple[SignedPromise, SignedPromise]]] = OrderedDict()
        self._batches: dict[Line, list[_Batch]] = defaultdict(list)
        self._batch_arrivals: deque[tuple[Line, _Batch]] = deque()
        self._batch_places = 0
        self._told: OrderedDict[tuple[Address, Fault], set[Hash32]] = OrderedDict()
        self.forgotten = 0
        """Promises, ancestors, batches and open questions that were dropped to make room."""

    def saw(self, signed: SignedPromise) -> list[Evidence]:
        """A signed flashblock. One that nobody signed, or none of the members, is ignored."""
        offender = self._signer(signed)
        if offender is None:
            return []
        found = list(self._learn(signed.flashblock.struct_hash, signed.flashblock))
        line = (offender, signed.flashblock.reset)
        known = self._lines[line].promises.get(signed.place)
        if known is not None:
            if known.flashblock.struct_hash != signed.flashblock.struct_hash:
                found += self._compare(known, signed)  # and with that the key is convicted: one a place is kept
            return self._untold(found)
        for neighbour in self._remember(line, signed):
            found += self._compare(neighbour, signed)
        for batch in self._batches.get(line, ()):
            found += self._hold_against(signed, batch)
        return self._untold(found)

    def posted(self, batch: PostedBatch) -> list[Evidence]:
        """A batch that stands on DA, whether it has effect or not: its signatures bind all the same."""
        found: list[Evidence] = []
        for flashblock in batch.flashblocks or ():
            found += self._learn(flashblock.struct_hash, flashblock)
        contents = self._contents(batch)
        for signature in batch.signatures:
            signed = SignedHeader(batch.header, signature)
            offender = self._signer(signed)
            if offender is not None:
                found += self._take_batch((offender, batch.header.reset), _Batch(signed, contents))
        return self._untold(found)

    def learned(self, ancestor: Flashblock | bytes) -> list[Evidence]:
        """An ancestor, signed or not, from wherever; or the RLP of a block header, on which a chain of promises
        begins after a reset."""
        struct_hash = keccak256(ancestor) if isinstance(ancestor, bytes) else ancestor.struct_hash
        return self._untold(list(self._learn(struct_hash, ancestor)))

    @property
    def open_questions(self) -> int:
        """Ancestors that are missing: with each, two promises of one key might turn out to be a fault."""
        return len(self._questions)

    def missing(self) -> tuple[Hash32, ...]:
        """Their struct hashes, the oldest question first."""
        return tuple(self._questions)

    # ------------------------------------------------------------------------------------------- promises

    def _compare(self, a: SignedPromise, b: SignedPromise) -> Iterator[Evidence]:
        made = equivocation(self._domain, a, b, self._parent_of)
        if isinstance(made, MissingAncestor):
            self._ask(made.struct_hash, a, b)
        elif not isinstance(made, NoFault):
            yield made

    def _ask(self, missing: Hash32, a: SignedPromise, b: SignedPromise) -> None:
        asking = self._questions.setdefault(missing, [])
        if len(asking) < self._limits.promises_per_question:
            asking.append((a, b))
        else:
            self.forgotten += 1
        if len(self._questions) > self._limits.open_questions:
            self._questions.popitem(last=False)
            self.forgotten += 1

    def _parent_of(self, child: Flashblock) -> Ancestor:
        return self._ancestors.get(child.parent)

    def _learn(self, struct_hash: Hash32, ancestor: Flashblock | bytes) -> Iterator[Evidence]:
        """Remember an ancestor, and answer what waited for it."""
        if struct_hash in self._ancestors:
            return
        self._ancestors[struct_hash] = ancestor
        if len(self._ancestors) > self._limits.ancestors:
            self._ancestors.popitem(last=False)
            self.forgotten += 1
        for a, b in self._questions.pop(struct_hash, ()):
            yield from self._compare(a, b)

    def _remember(self, line: Line, signed: SignedPromise) -> list[SignedPromise]:
        """Insert the promise; its neighbours on either side."""
        kept, place = self._lines[line], signed.place
        at = bisect_left(kept.places, place)
        neighbours = [kept.promises[p] for p in kept.places[max(at - 1, 0) : at + 1]]
        insort(kept.places, place)
        kept.promises[place] = signed
        self._arrivals.append((line, place))
        if len(self._arrivals) > self._limits.promises:
            self._forget_promise(*self._arrivals.popleft())
        return neighbours

    def _forget_promise(self, line: Line, place: Place) -> None:
        kept = self._lines[line]
        del kept.places[bisect_left(kept.places, place)]
        del kept.promises[place]
        if not kept.places:
            del self._lines[line]
        self.forgotten += 1

    # -------------------------------------------------------------------------------------------- batches

    @staticmethod
    def _contents(batch: PostedBatch) -> BatchContents | None:
        """The leaves under ``flashblocksRoot``, if what is known of the batch gives that root."""
        if batch.header.flashblock_count == 0:
            return empty_contents()
        contents = BatchContents.of(batch.flashblocks or ())
        return contents if contents.belong_to(batch.header) else None

    def _take_batch(self, line: Line, batch: _Batch) -> Iterator[Evidence]:
        header = batch.signed.header
        for other in self._batches[line]:
            if other.signed.header.struct_hash == header.struct_hash and (other.contents or not batch.contents):
                return
            if other.signed.header.sequence == header.sequence:
                made = double_batch(self._domain, other.signed, batch.signed)
                if not isinstance(made, NoFault):
                    yield made
        self._batches[line].append(batch)
        self._batch_arrivals.append((line, batch))
        self._batch_places += len(batch.contents.places) if batch.contents else 0
        self._make_room_for_batches()
        if line in self._lines:
            for promised in self._lines[line].between(header.first_block, header.last_block):
                yield from self._hold_against(promised, batch)

    def _hold_against(self, promised: SignedPromise, batch: _Batch) -> Iterator[Evidence]:
        """E2, unless the batch keeps the promise or has nothing to do with it."""
        header, contents = batch.signed.header, batch.contents
        if contents is None or not header.first_block <= promised.place[0] <= header.last_block:
            return
        at = bisect_left(contents.places, promised.place)
        if contents.hashes[at : at + 1] == (promised.flashblock.struct_hash,):
            return
        made = contradicted_promise(self._domain, promised, batch.signed, contents)
        if not isinstance(made, NoFault):
            yield made

    def _make_room_for_batches(self) -> None:
        limits = self._limits
        while len(self._batch_arrivals) > limits.batches or self._batch_places > limits.batch_places:
            line, batch = self._batch_arrivals.popleft()
            self._batches[line].remove(batch)
            if not self._batches[line]:
                del self._batches[line]
            self._batch_places -= len(batch.contents.places) if batch.contents else 0
            self.forgotten += 1

    # ---------------------------------------------------------------------------------------------- both

    def _signer(self, signed: SignedPromise | SignedHeader) -> Address | None:
        try:
            signer = signer_of(self._domain, signed)
        except Malformed:
            return None
        return signer if signer in self._members or not self._members else None

    def _untold(self, found: list[Evidence]) -> list[Evidence]:
        """What was not told before, and not too much about one key."""
        fresh = []
        for evidence in found:
            verdict = verify(evidence)
            if verdict.offender is None or verdict.id is None:
                continue
            told = self._told.setdefault((verdict.offender, verdict.fault), set())
            if len(self._told) > self._limits.offenders:
                self._told.popitem(last=False)
            if verdict.id not in told and len(told) < self._limits.evidence_per_fault:
                told.add(verdict.id)
                fresh.append(evidence)
        return fresh
