"""Derivation: the chain out of DA bytes alone (protocol, section 5). Pure and incremental.

Blobs are fed in the layer's order. A batch takes effect iff it extends the last one that did, is signed by
enough of its epoch's set, has the body that ``dataHash`` commits to, and its blocks follow the rules. What is
left to re-execution: gas, base fees, block hashes, outcomes and state roots; whoever executes compares them
and calls ``refuse`` when a batch does not reach its header. Everything else that stands on the layer
(garbage, foreign blobs, duplicates, forks, bombs) is ignored for a named reason, and never executed.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from da import body as body_codec
from da import codec, frame, limits
from da.blocks import DerivedBlock
from da.channel import Assembly, ChannelBank
from da.codec import SealedBatch
from sequencer.core.batch import BatchHeader, flashblocks_root
from sequencer.core.block import BlockRef
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Fatal, Malformed
from sequencer.core.membership import SequencerSet
from sequencer.core.ports import BlobRef
from sequencer.core.secp256k1 import recover_signature
from sequencer.core.types import Address, Hash32

SetAt = Callable[[int], SequencerSet | None]
"""The sequencer set of an epoch; None if there is no such epoch."""


class Ignored(StrEnum):
    """Why something on the layer has no effect. The value is a stable tag for metric labels."""

    GARBAGE = "garbage"
    """Bytes that are not frames, or frames that join to no batch."""
    MISLABELLED = "mislabelled"
    """The frames name another batch than the header that they carry."""
    DUPLICATE = "duplicate"
    FORKED = "forked"
    """It stands where another batch took effect before it."""
    UNKNOWN_EPOCH = "unknown_epoch"
    UNSIGNED = "unsigned"
    """Too few valid signatures of its epoch's set."""
    TOO_FAR_AHEAD = "too_far_ahead"
    BODY = "body"
    """The body is not the one that dataHash commits to, or a compression bomb, or does not parse."""
    RULES = "rules"
    """Its blocks break a rule that needs no execution."""
    REFUSED = "refused"
    """Re-execution did not reach its header."""


@dataclass(frozen=True, slots=True)
class IgnoredBlob:
    """Something that was skipped, where, and why."""

    ref: BlobRef
    reason: Ignored
    detail: str


@dataclass(frozen=True, slots=True)
class AcceptedBatch:
    """A batch that takes effect if re-execution ends with ``header.last_block_hash`` and ``state_root``."""

    ref: BlobRef
    header: BatchHeader
    blocks: tuple[DerivedBlock, ...]
    sealed: SealedBatch
    """As it stands on the layer."""


DerivationEvent = AcceptedBatch | IgnoredBlob


@dataclass(frozen=True, slots=True)
class DerivationTip:
    """Where the chain stands: everything that the next batch must continue."""

    sequence: int
    batch_hash: Hash32
    last_block: BlockRef
    last_flashblock: Hash32
    timestamp: int = 0
    l1_origin_number: int = 0
    epoch: int = 0
    term: int = 0
    """Of the last batch. Its blocks may be of earlier terms: a new leader posts what the one before it left."""
    block_term: int = 0
    """Of the last block."""
    reset: int = 0

    @classmethod
    def at_genesis(cls, genesis: BlockRef, timestamp: int) -> "DerivationTip":
        """Before the first batch. ``timestamp`` is that of the genesis block, unix seconds."""
        return cls(0, genesis.hash, genesis, genesis.hash, timestamp)


@dataclass(frozen=True, slots=True)
class _Held:
    """A verified batch whose predecessor has not come. Kept compressed."""

    ref: BlobRef
    sealed: SealedBatch

    @property
    def size_bytes(self) -> int:
        return len(self.sealed.compressed)


class Derivation:
    """Feed it blobs; execute what it accepts before feeding more.

    Starts at genesis, whose ``genesis_timestamp`` is in unix seconds, or goes on from a ``tip`` it had before.
    """

    def __init__(
        self,
        domain: Domain,
        genesis: BlockRef,
        genesis_timestamp: int,
        set_at: SetAt,
        *,
        tip: DerivationTip | None = None,
    ) -> None:
        self._domain = domain
        self._set_at = set_at
        self._tip = tip or DerivationTip.at_genesis(genesis, genesis_timestamp)
        self._channels = ChannelBank()
        self._held: dict[Hash32, _Held] = {}
        self._held_bytes = 0
        self._before: OrderedDict[Hash32, DerivationTip] = OrderedDict()

    @property
    def tip(self) -> DerivationTip:
        """Where the accepted chain stands."""
        return self._tip

    @property
    def waiting(self) -> tuple[int, ...]:
        """Sequences of signed batches whose predecessors have not come. Not empty at the end of a layer means
        that data is missing there: stop loudly, never go on."""
        sequences = (held.sealed.header.sequence for held in self._held.values())
        return tuple(sorted(sequence for sequence in sequences if sequence > self._tip.sequence + 1))

    def feed(self, ref: BlobRef, blob: bytes) -> list[DerivationEvent]:
        """Take the next blob of the layer. Returns, in order, what takes effect and what was ignored."""
        events = self._drop_overtaken()
        parsed = frame.parse(blob)
        if parsed.garbage:
            events.append(IgnoredBlob(ref, Ignored.GARBAGE, parsed.garbage))
        for assembly in self._channels.add(parsed.frames):
            events += self._consider(ref, assembly)
        return events

    def refuse(self, batch: AcceptedBatch) -> list[DerivationEvent]:
        """Re-execution of ``batch`` did not reach its header: it has no effect, and neither has anything
        accepted after it. Returns what takes effect in its place. Raises ``Fatal`` for a batch that is not
        among the last ones accepted."""
        before = self._before.get(batch.header.struct_hash)
        if before is None:
            raise Fatal(f"derivation: batch {batch.header.sequence} was not accepted lately")
        while batch.header.struct_hash in self._before:
            self._before.popitem()
        self._tip = before
        ignored = IgnoredBlob(batch.ref, Ignored.REFUSED, "re-execution ends with another block")
        return [ignored, *self._extend()]

    def _consider(self, ref: BlobRef, assembly: Assembly) -> list[DerivationEvent]:
        """One whole batch: ignore it, hold it, or accept it and what was held for it."""
        try:
            sealed = codec.decode(assembly.encoded)
        except Malformed as error:
            return [IgnoredBlob(ref, Ignored.GARBAGE, str(error))]
        refusal = self._refusal_of_header(sealed, assembly.batch_id) or self._refusal_of_body(sealed)
        if refusal:
            if refusal[0] in (Ignored.DUPLICATE, Ignored.FORKED):
                self._channels.forget(assembly.batch_id)
            return [IgnoredBlob(ref, *refusal)]
        self._channels.forget(assembly.batch_id)
        self._hold(_Held(ref, sealed))
        return self._extend() + self._make_room()

    def _refusal_of_header(self, sealed: SealedBatch, batch_id: bytes) -> tuple[Ignored, str] | None:
        """What speaks against the batch before its body is touched."""
        header, tip = sealed.header, self._tip
        if header.struct_hash[: frame.ID_BYTES] != batch_id:
            return Ignored.MISLABELLED, "the frames name another batch than the header"
        if header.struct_hash in self._before or header.struct_hash in self._held:
            return Ignored.DUPLICATE, f"batch {header.sequence} is here already"
        if header.sequence <= tip.sequence:
            return Ignored.FORKED, f"another batch {header.sequence} took effect"
        if header.sequence == tip.sequence + 1 and header.previous_batch != tip.batch_hash:
            return Ignored.FORKED, f"batch {header.sequence} does not extend batch {tip.sequence}"
        if header.sequence > tip.sequence + limits.MAX_HELD_BATCHES:
            return Ignored.TOO_FAR_AHEAD, f"batch {header.sequence} while batch {tip.sequence} is the last"
        return self._refusal_of_signatures(sealed)

    def _refusal_of_signatures(self, sealed: SealedBatch) -> tuple[Ignored, str] | None:
        header = sealed.header
        members = self._set_at(header.epoch)
        if members is None:
            return Ignored.UNKNOWN_EPOCH, f"epoch {header.epoch}"
        if len(sealed.signatures) > len(members.members):
            return Ignored.UNSIGNED, "more signatures than members"
        digest = self._domain.digest(header.struct_hash)
        signers: set[Address] = set()
        for signature in sealed.signatures:
            try:
                signer = recover_signature(digest, signature)
            except Malformed:
                continue
            if members.member(signer):
                signers.add(signer)
        if len(signers) < members.quorum:
            return Ignored.UNSIGNED, f"{len(signers)} of {members.quorum} signatures"
        return None

    @staticmethod
    def _refusal_of_body(sealed: SealedBatch) -> tuple[Ignored, str] | None:
        try:
            sealed.open()
        except Malformed as error:
            return Ignored.BODY, str(error)
        return None

    def _hold(self, held: _Held) -> None:
        self._held[held.sealed.header.struct_hash] = held
        self._held_bytes += held.size_bytes

    def _make_room(self) -> list[DerivationEvent]:
        """When too many verified batches wait, the one furthest ahead goes."""
        events: list[DerivationEvent] = []
        while len(self._held) > limits.MAX_HELD_BATCHES or self._held_bytes > limits.MAX_HELD_BYTES:
            furthest = max(self._held.values(), key=lambda h: h.sealed.header.sequence)
            self._release(furthest)
            events.append(IgnoredBlob(furthest.ref, Ignored.TOO_FAR_AHEAD, "too many batches wait for another"))
        return events

    def _release(self, held: _Held) -> None:
        del self._held[held.sealed.header.struct_hash]
        self._held_bytes -= held.size_bytes

    def _drop_overtaken(self) -> list[DerivationEvent]:
        """Held batches whose place is taken for good. They are kept until the driver has had its chance to
        refuse the one that took it."""
        overtaken = [h for h in self._held.values() if h.sealed.header.sequence <= self._tip.sequence]
        for held in overtaken:
            self._release(held)
        return [IgnoredBlob(h.ref, Ignored.FORKED, "another batch took effect before it") for h in overtaken]

    def _extend(self) -> list[DerivationEvent]:
        """Accept held batches as long as one extends the tip, in the order in which they came."""
        events: list[DerivationEvent] = []
        while True:
            child = next(
                (h for h in self._held.values() if h.sealed.header.previous_batch == self._tip.batch_hash), None
            )
            if child is None:
                return events
            self._release(child)
            events.append(self._accept(child))

    def _accept(self, held: _Held) -> DerivationEvent:
        header = held.sealed.header
        try:
            blocks = body_codec.decode(held.sealed.open())
            tip = follow(self._tip, header, blocks)
        except RuleBroken as error:
            return IgnoredBlob(held.ref, Ignored.RULES, str(error))
        except Malformed as error:
            return IgnoredBlob(held.ref, Ignored.BODY, str(error))
        self._before[header.struct_hash] = self._tip
        if len(self._before) > limits.MAX_REMEMBERED_BATCHES:
            self._before.popitem(last=False)
        self._tip = tip
        return AcceptedBatch(held.ref, header, blocks, held.sealed)


class RuleBroken(Malformed):
    """The blocks of a batch break a rule that can be checked without executing them."""


def follow(tip: DerivationTip, header: BatchHeader, blocks: tuple[DerivedBlock, ...]) -> DerivationTip:
    """Where the chain stands after the batch. Raises ``RuleBroken`` naming the first rule it breaks.

    Order roots, positions and the chain of flashblocks inside the batch hold by construction: the body
    decoder computes them, and ``flashblocksRoot`` says whether they are the signed ones.
    """
    flashblocks = [entry.flashblock for block in blocks for entry in block.flashblocks]
    first, last = blocks[0].attributes, blocks[-1].attributes
    _require(header.sequence == tip.sequence + 1, "sequence")
    _require((first.number, last.number) == (header.first_block, header.last_block), "block numbers")
    _require(first.number == tip.last_block.number + 1, "first block does not follow the last one")
    _require(first.parent_hash == tip.last_block.hash, "parent hash of the first block")
    _require(len(flashblocks) == header.flashblock_count, "flashblockCount")
    _require(flashblocks_root(flashblocks) == header.flashblocks_root, "flashblocksRoot")
    _require(not flashblocks or flashblocks[0].parent == tip.last_flashblock, "parent of the first flashblock")
    _require(header.reset == tip.reset, "reset")
    _require(header.epoch >= tip.epoch and header.term >= tip.term, "epoch or term went back")
    timestamp, origin, term = tip.timestamp, tip.l1_origin_number, tip.block_term
    for block in blocks:
        attributes = block.attributes
        _require(attributes.timestamp >= timestamp, f"timestamp of block {attributes.number} went back")
        _require(attributes.l1_origin_number >= origin, f"L1 origin of block {attributes.number} went back")
        _require(attributes.l1_origin_time <= attributes.timestamp, f"block {attributes.number} precedes its origin")
        _require(term <= attributes.term <= header.term, f"term of block {attributes.number}")
        _require(attributes.epoch <= header.epoch, f"epoch of block {attributes.number}")
        _require(attributes.reset == header.reset, f"reset of block {attributes.number}")
        timestamp, origin, term = attributes.timestamp, attributes.l1_origin_number, attributes.term
    return DerivationTip(
        sequence=header.sequence,
        batch_hash=header.struct_hash,
        last_block=BlockRef(header.last_block, header.last_block_hash),
        last_flashblock=flashblocks[-1].struct_hash if flashblocks else tip.last_flashblock,
        timestamp=timestamp,
        l1_origin_number=origin,
        epoch=header.epoch,
        term=header.term,
        block_term=term,
        reset=header.reset,
    )


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise RuleBroken(f"batch: {what}")
