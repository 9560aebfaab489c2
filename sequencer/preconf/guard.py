"""What one key may sign on one chain, decided from what it may have signed before (invariant I2).

Pure. Two flashblocks of one key must be on one chain, told by their ``parent`` links, unless window expiry
lies between them (``reset``); two batches of one key must not share a sequence. Always holds:

- The log holds ``newest`` durably, and nothing is signed that is neither ``newest`` nor below it.
- Of what the log holds durably, at most ``FLASHBLOCKS_AHEAD`` flashblocks are not durable in the guard yet, and of
  those at most the oldest is signed.

A guard knows only what its key did through it. ``Trail`` holds it against the log before a node leads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sequencer.core.batch import BatchHeader
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32

FLASHBLOCKS_AHEAD: Final = 4
"""How many flashblocks a crash may leave in the log and not in the guard. The one that was signed last and one that the
log has just made durable are two; the rest is room for a log that groups appends."""


class GuardRefused(Fatal):
    """The key must not sign: it would contradict, or may contradict, what it signed before."""


class LogRolledBack(GuardRefused):
    """The log lacks something that was in it."""


@dataclass(frozen=True, slots=True)
class SignedPlace:
    """One flashblock that the key may have signed, told by place and struct hash."""

    epoch: int
    term: int
    reset: int
    block_number: int
    index: int
    struct_hash: Hash32

    @classmethod
    def of(cls, flashblock: Flashblock) -> "SignedPlace":
        """The place of ``flashblock``."""
        return cls(
            flashblock.epoch,
            flashblock.term,
            flashblock.reset,
            flashblock.block_number,
            flashblock.index,
            flashblock.struct_hash,
        )

    @property
    def place(self) -> tuple[int, int, int]:
        """Orders flashblocks of one chain."""
        return self.reset, self.block_number, self.index

    def __str__(self) -> str:
        reset = f" after reset {self.reset}" if self.reset else ""
        return f"flashblock {self.index} of block {self.block_number}{reset} (0x{self.struct_hash.hex()})"


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """One batch header that the key may have signed."""

    sequence: int
    struct_hash: Hash32


@dataclass(frozen=True, slots=True)
class GuardState:
    """The watermark: everything at or below ``newest`` may have been signed already."""

    newest: SignedPlace | None = None

    @property
    def term(self) -> int:
        """The highest term under which the key may have signed."""
        return self.newest.term if self.newest is not None else 0

    def extended(self, flashblocks: Iterable[Flashblock]) -> "GuardState":
        """With ``flashblocks``, in order, on top. Raises ``GuardRefused`` for one that may not be signed."""
        newest = self.newest
        for flashblock in flashblocks:
            newest = _follow(newest, flashblock)
        return GuardState(newest)


def _follow(newest: SignedPlace | None, flashblock: Flashblock) -> SignedPlace:
    signed = SignedPlace.of(flashblock)
    if newest is None or flashblock.reset > newest.reset:
        return signed
    if signed.struct_hash == newest.struct_hash:
        return newest
    if signed.place <= newest.place:
        raise GuardRefused(
            f"the guard refuses {signed}: the key has signed up to {newest} already, and a second signature there "
            "would be equivocation. Find out what else signs with this key before this node leads again"
        )
    if flashblock.term < newest.term:
        raise GuardRefused(
            f"the guard refuses {signed} of term {flashblock.term}: the key has signed in term {newest.term} already. "
            "This node no longer leads; restart it so that it begins a term of its own"
        )
    follows = (newest.block_number, newest.index + 1) if flashblock.index else (flashblock.block_number, 0)
    if flashblock.parent != newest.struct_hash or (flashblock.block_number, flashblock.index) != follows:
        raise GuardRefused(
            f"the guard refuses {signed} on parent 0x{flashblock.parent.hex()}: it is not on one chain with {newest}, "
            "the newest that the key has signed. Restart the node: it compares its log with the guard and says more"
        )
    return signed


def check_batch(signed: Mapping[int, Hash32], header: BatchHeader) -> None:
    """Raise ``GuardRefused`` unless ``header`` may be signed, given the batches signed before, by sequence."""
    struct_hash = header.struct_hash
    known = signed.get(header.sequence)
    if known == struct_hash:
        return
    newest = max(signed, default=None)
    if known is not None or (newest is not None and header.sequence < newest):
        what = f"0x{known.hex()} stands there" if known is not None else f"batch {newest} is signed, this one forgotten"
        raise GuardRefused(
            f"the guard refuses batch {header.sequence} (0x{struct_hash.hex()}): {what}. A second batch of one "
            "sequence is slashable; the log was rolled back or another node uses this key"
        )
    if newest == header.sequence - 1 and signed[newest] != header.previous_batch:
        raise GuardRefused(
            f"the guard refuses batch {header.sequence}: it follows batch 0x{header.previous_batch.hex()}, but the key "
            f"signed batch {newest} as 0x{signed[newest].hex()}"
        )


class Trail:
    """The log's flashblocks, oldest first, held against what the key may have signed.

    Feed every flashblock that the log keeps, then ask for the ``verdict``. Of those in blocks above
    ``resign_above`` the struct hashes are kept in ``on_chain``: once the verdict holds, they are on one chain with
    everything that the key signed and may be signed again.
    """

    def __init__(self, state: GuardState, resign_above: int) -> None:
        self._state = state
        self._resign_above = resign_above
        self._last: Flashblock | None = None
        self._newest_seen = False
        self._unguarded = 0
        self._contradicted: SignedPlace | None = None
        self.on_chain: set[Hash32] = set()

    @property
    def empty(self) -> bool:
        """Nothing was fed."""
        return self._last is None

    def feed(self, flashblock: Flashblock) -> None:
        """Take the next flashblock. Raises ``GuardRefused`` if it is not linked to the one before it."""
        last, newest = self._last, self._state.newest
        if last is None:
            self._see(flashblock.parent)
        elif flashblock.parent != last.struct_hash and flashblock.reset == last.reset:
            raise GuardRefused(
                f"the log is not one chain: {SignedPlace.of(flashblock)} is not on {SignedPlace.of(last)}. Keep the "
                "data directory as it is, and restore the log from a copy or another member of the set"
            )
        signed = SignedPlace.of(flashblock)
        if newest is not None and signed.place == newest.place and signed.struct_hash != newest.struct_hash:
            self._contradicted = signed
        self._unguarded += 1
        self._see(signed.struct_hash)
        if flashblock.block_number > self._resign_above:
            self.on_chain.add(signed.struct_hash)
        self._last = flashblock

    def _see(self, struct_hash: Hash32) -> None:
        newest = self._state.newest
        if newest is not None and struct_hash == newest.struct_hash:
            self._newest_seen = True
            self._unguarded = 0

    def verdict(self) -> GuardState:
        """The watermark with which the node may lead. Raises ``GuardRefused``, saying what is wrong."""
        newest = self._state.newest
        tail = SignedPlace.of(self._last) if self._last is not None else None
        if newest is None or self._newest_seen:
            self._check_age(tail)
            return GuardState(tail) if tail is not None else self._state
        if self._contradicted is not None:
            raise GuardRefused(
                f"the log holds {self._contradicted} where the key has signed {newest}: the log is not the one that "
                "this key's promises were made from. Do not lead with it; restore the right log"
            )
        if tail is None or tail.place < newest.place:
            raise _rolled_back(newest, tail)
        raise _guard_is_older(newest, tail)

    def _check_age(self, tail: SignedPlace | None) -> None:
        if tail is not None and self._unguarded > FLASHBLOCKS_AHEAD:
            raise _guard_is_older(self._state.newest, tail)


def _rolled_back(newest: SignedPlace, tail: SignedPlace | None) -> "LogRolledBack":
    ends = f"ends with {tail}" if tail is not None else "holds no flashblock"
    return LogRolledBack(
        f"the sequence log was rolled back: it {ends}, but the key has signed up to {newest}. This node refuses to "
        "lead, because it would break those promises"
    )


def _guard_is_older(newest: SignedPlace | None, tail: SignedPlace) -> GuardRefused:
    known = f"knows signatures up to {newest} only" if newest is not None else "knows no signature"
    return GuardRefused(
        f"the guard is older than the log: it {known}, and the log goes on to {tail}. An older copy of the guard was "
        "restored, so it cannot tell what else the key has signed. Put the newest guard back, or import the newest "
        "export: sequencer guard import FILE"
    )
