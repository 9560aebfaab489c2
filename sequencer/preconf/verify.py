"""Verification of a pre-confirmation by anyone (protocol, sections 1 and 9).

Five checks, always all of them and in this order:

===========  ==========================================================  ==============================
signature    the stated signer signed this flashblock for this chain     needs nothing else
member       the signer is a sequencer of that chain at that epoch       needs the chain's sequencer set
order        the flashblock has this transaction at this position        needs nothing else
outcome      the flashblock has this outcome at this position            needs nothing else
posted       the flashblock stands on the data availability layer        needs that layer
===========  ==========================================================  ==============================

A check has three states in two fields. ``ok`` without a reason: it was made and holds. ``ok`` with a reason: nothing
speaks against it, and the reason says why it is open (not posted yet and not yet due, or not checked because what
it needs is not at hand). Not ``ok``: it does not hold, and the reason says why. A promise is ``valid`` when no
check fails, and ``proven`` when none is open either.

Pure: time, sequencer set and what stands on the layer are handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sequencer.core import flashblock as flashblock_core
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Malformed
from sequencer.core.flashblock import Check, Flashblock, Preconfirmation
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.preconf_json import parse, parse_address, parse_domain, parse_quantity
from sequencer.core.types import Hash32

CHECKS: Final = ("signature", "member", "order", "outcome", "posted")


@dataclass(frozen=True, slots=True)
class KnownChain:
    """What the verifier believes about the chain, from its genesis file or from a node: the domain of its
    promises, and who may make them at one epoch."""

    domain: Domain
    sequencers: SequencerSet


@dataclass(frozen=True, slots=True)
class PostedPlace:
    """What a data availability layer holds at the place of a flashblock, read at ``now_s`` (unix seconds).

    ``batch`` is the sequence of the batch with the flashblock's block, None if there is none up to ``last_block``,
    the layer's newest; ``struct_hash`` is the flashblock at that block and index, None if the block has none there.
    """

    now_s: int
    last_block: int
    batch: int | None = None
    struct_hash: Hash32 | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The five checks, and the pre-confirmation if it could be read at all."""

    checks: tuple[Check, ...]
    preconfirmation: Preconfirmation | None = None

    @property
    def valid(self) -> bool:
        """No check fails; some may be open."""
        return all(check.ok for check in self.checks)

    @property
    def proven(self) -> bool:
        """Every check was made, and holds."""
        return all(check.ok and not check.reason for check in self.checks)

    def strict(self) -> "Verification":
        """The same with every open check counted as one that does not hold."""
        checks = (replace(check, ok=check.ok and not check.reason) for check in self.checks)
        return replace(self, checks=tuple(checks))

    def to_json(self) -> Mapping[str, object]:
        """``{"valid", "checks": [{"name", "ok", "reason"}]}``."""
        checks = [{"name": check.name, "ok": check.ok, "reason": check.reason} for check in self.checks]
        return {"valid": self.valid, "checks": checks}


def verify_json(
    text: str | bytes, *, chain: KnownChain | None = None, posted: PostedPlace | None = None
) -> Verification:
    """Verify a pre-confirmation as ``sequencer_getPreconfirmation`` gives it, alone or inside the RPC's answer.

    Never raises for what is in ``text``: if it is not a pre-confirmation, every check fails and says which member
    is wrong. Without ``chain`` the check ``member`` stays open, without ``posted`` the check ``posted``.
    """
    try:
        preconfirmation = parse(text)
    except Malformed as error:
        return refusal(error)
    return verify(preconfirmation, chain=chain, posted=posted)


def verify(
    preconfirmation: Preconfirmation, *, chain: KnownChain | None = None, posted: PostedPlace | None = None
) -> Verification:
    """As ``verify_json``, of a pre-confirmation that is parsed already."""
    signature, order, outcome = flashblock_core.verify(preconfirmation)
    member = _member(preconfirmation, chain)
    on_layer = _posted(preconfirmation.signed.flashblock, posted)
    return Verification((signature, member, order, outcome, on_layer), preconfirmation)


def known_chain(rollup_config: object, sequencer_set: object) -> KnownChain:
    """What a node states, in its answers to ``sequencer_rollupConfig`` and ``sequencer_getSequencerSet``. Raises
    ``Malformed``."""
    domain = rollup_config.get("domain") if isinstance(rollup_config, dict) else None
    members = sequencer_set.get("members") if isinstance(sequencer_set, dict) else None
    if not isinstance(sequencer_set, dict) or not isinstance(members, list):
        raise Malformed("sequencers: no epoch and members")
    infos = []
    for at, member in enumerate(members):
        if not isinstance(member, dict):
            raise Malformed(f"members[{at}]: not an object")
        address = parse_address(member.get("address"), f"members[{at}].address")
        infos.append(SequencerInfo(address, parse_address(member.get("feeRecipient"), f"members[{at}].feeRecipient")))
    epoch = parse_quantity(sequencer_set.get("epoch"), 64, "epoch")
    return KnownChain(parse_domain(domain, "domain"), SequencerSet(epoch, tuple(infos)))


def refusal(error: Malformed) -> Verification:
    """The answer about something that is not a pre-confirmation: nothing of it holds."""
    return Verification(tuple(Check(name, False, f"malformed: {error}") for name in CHECKS))


def _member(preconfirmation: Preconfirmation, chain: KnownChain | None) -> Check:
    if chain is None:
        return Check("member", True, "not checked: no sequencer set at hand")
    reason = _not_this_chain(preconfirmation.domain, chain.domain)
    signer, epoch = preconfirmation.signed.signer, preconfirmation.signed.flashblock.epoch
    if not reason and epoch != chain.sequencers.epoch:
        reason = f"the sequencer set at hand is of epoch {chain.sequencers.epoch}, the promise of epoch {epoch}"
    if not reason and chain.sequencers.member(signer) is None:
        reason = f"0x{signer.hex()} is not in the sequencer set"
    return Check("member", not reason, reason)


def _not_this_chain(claimed: Domain, known: Domain) -> str:
    if claimed.chain_id != known.chain_id:
        return "made for another chain: domain.chainId differs"
    if claimed.verifying_contract != known.verifying_contract:
        return "made for another chain: domain.verifyingContract differs"
    if claimed.genesis_hash != known.genesis_hash:
        return "made for another chain: domain.salt differs"
    return ""


def _posted(flashblock: Flashblock, place: PostedPlace | None) -> Check:
    if place is None:
        return Check("posted", True, "not checked: no data availability layer at hand")
    if place.batch is None:
        missing = f"the layer ends with block {place.last_block}, and block {flashblock.block_number} is due by"
        due = f"{missing} {utc(flashblock.post_by)}"
        return Check("posted", place.now_s <= flashblock.post_by, due)
    if place.struct_hash is None:
        return Check("posted", False, f"batch {place.batch} has the block without this flashblock")
    if place.struct_hash != flashblock.struct_hash:
        reason = f"batch {place.batch} has another flashblock in its place: 0x{place.struct_hash.hex()}"
        return Check("posted", False, reason)
    return Check("posted", True)


def utc(unix_s: int) -> str:
    """A time in unix seconds for people to read; beyond the year 9999 the bare number."""
    try:
        return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(unix_s)
