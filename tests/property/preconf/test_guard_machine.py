"""The guard and its comparison with the log, driven at random: whatever happens, one key signs one chain.

Honest steps, crashes included, must never be refused; wishes to sign anything else, logs that were rolled back or
swapped, and older guards must be. ``make fuzz`` runs a million steps.
"""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from sequencer.core.flashblock import Flashblock
from sequencer.core.types import Hash32
from sequencer.preconf.guard import FLASHBLOCKS_AHEAD, GuardRefused, GuardState, Trail
from tests.unit.preconf.chains import GENESIS, flashblock


class GuardMachine(RuleBasedStateMachine):
    """One key: its guard, its log, and everything that was ever signed with it."""

    seen = Bundle("seen")

    @initialize()
    def start(self) -> None:
        self.guard = GuardState()
        self.surely_on_disk = self.guard
        self.older: list[GuardState] = []
        self.log: list[Flashblock] = []
        self.signed: list[Flashblock] = []
        self.hashes: set[Hash32] = set()
        self.term = 1
        self.salt = 0

    # ---------------------------------------------------------------------------------------- honest life

    def next_run(self, count: int, new_blocks: int) -> list[Flashblock]:
        """What the builder would close next, on top of the log."""
        run: list[Flashblock] = []
        last = self.log[-1] if self.log else None
        for offset in range(count):
            self.salt += 1
            opens = last is None or last.term != self.term or offset < new_blocks
            block = (last.block_number if last else 0) + (1 + self.salt % 3 if opens else 0)
            index = 0 if opens else (last.index + 1 if last else 0)
            parent = last.struct_hash if last else GENESIS
            reset = last.reset if last else 0
            last = flashblock(block, index, parent, term=self.term, reset=reset, salt=self.salt)
            run.append(last)
        return run

    def sign(self, run: list[Flashblock]) -> None:
        self.signed += [item for item in run if item.struct_hash not in self.hashes]
        self.hashes.update(item.struct_hash for item in run)

    def write(self, after: GuardState) -> None:
        """Into the guard's file; what was there before is durable by then."""
        self.surely_on_disk, self.guard = self.guard, after

    @rule(opens=st.booleans(), target=seen)
    def promise(self, opens: bool) -> Flashblock:
        run = self.next_run(1, int(opens))
        after = self.guard.extended(run)
        self.log += run
        self.older = [*self.older[-20:], self.guard]
        self.write(after)
        self.sign(run)
        return run[-1]

    @rule()
    def restart(self) -> None:
        self.take_over(self.guard)

    @rule(appended=st.integers(0, FLASHBLOCKS_AHEAD), settled=st.booleans())
    def crash(self, appended: int, settled: bool) -> None:
        """The log holds flashblocks that wait for their signature. With the power, the record of the newest that was
        signed may be lost."""
        on_disk = self.guard if settled else self.surely_on_disk
        if on_disk != self.guard:
            appended = min(appended, FLASHBLOCKS_AHEAD - 1)
        self.log += self.next_run(appended, 1)
        self.take_over(on_disk)

    def take_over(self, on_disk: GuardState) -> None:
        stored = self.signed[-1].block_number - 2 if self.signed else 0
        trail = Trail(on_disk, resign_above=stored)
        for item in self.log[-60:]:
            trail.feed(item)
        self.guard = self.surely_on_disk = trail.verdict()
        self.sign([item for item in self.log[-60:] if item.struct_hash in trail.on_chain])
        self.term = max(self.term, self.guard.term) + 1

    @precondition(lambda self: self.log)
    @rule()
    def window_expiry(self) -> None:
        last = self.log[-1]
        again = flashblock(max(last.block_number - 2, 1), 0, GENESIS, term=self.term, reset=last.reset + 1)
        self.write(self.guard.extended([again]))
        self.log.append(again)
        self.sign([again])

    # ------------------------------------------------------------------------------------------ mischief

    @rule(
        base=seen,
        block=st.integers(-3, 3),
        index=st.integers(0, 3),
        linked=st.booleans(),
        term=st.integers(-2, 2),
        salt=st.integers(1 << 32, 1 << 40),
    )
    def wish(self, base: Flashblock, block: int, index: int, linked: bool, term: int, salt: int) -> None:
        """Sign anything anywhere. What the guard allows becomes part of the chain."""
        wanted = flashblock(
            max(base.block_number + block, 0),
            index,
            base.struct_hash if linked else Hash32(salt.to_bytes(32, "big")),
            term=max(base.term + term, 0),
            reset=base.reset,
            salt=salt,
        )
        if wanted.struct_hash in self.hashes:
            return
        try:
            self.write(self.guard.extended([wanted]))
        except GuardRefused:
            return
        self.log.append(wanted)
        self.sign([wanted])
        self.term = max(self.term, wanted.term)

    @precondition(lambda self: self.signed)
    @rule(lost=st.integers(1, 12))
    def roll_back(self, lost: int) -> None:
        """The log ends earlier than what was signed: it must be refused, and this life ends there."""
        self.expect_refusal(self.guard, self.log[: max(len(self.log) - lost, 0)])

    @precondition(lambda self: self.signed)
    @rule(lost=st.integers(1, 6), grown=st.integers(1, 8))
    def fork(self, lost: int, grown: int) -> None:
        """The log was rolled back, and another node went on with it."""
        log = self.log[: max(len(self.log) - lost, 0)]
        for _ in range(grown):
            last = log[-1] if log else None
            parent, block = (last.struct_hash, last.block_number) if last else (GENESIS, 0)
            log.append(flashblock(block + 1, 0, parent, reset=self.log[-1].reset, term=self.term, salt=1 << 50))
        self.expect_refusal(self.guard, log)

    @rule(age=st.integers(FLASHBLOCKS_AHEAD + 1, 20))
    def restore_an_older_guard(self, age: int) -> None:
        if len(self.older) < age:
            return
        older = self.older[-age]
        self.expect_refusal(older, self.log[-200:])

    def expect_refusal(self, guard: GuardState, log: list[Flashblock]) -> None:
        trail = Trail(guard, resign_above=0)
        try:
            for item in log:
                trail.feed(item)
            found = trail.verdict()
        except GuardRefused:
            return
        raise AssertionError(f"a false history was accepted: {found}")

    # --------------------------------------------------------------------------------------- always holds

    @invariant()
    def one_chain(self) -> None:
        for earlier, later in pairwise(self.signed[-6:]):
            if later.reset == earlier.reset:
                assert later.parent == earlier.struct_hash
                assert (later.block_number, later.index) > (earlier.block_number, earlier.index)

    @invariant()
    def everything_signed_is_in_the_log(self) -> None:
        logged = {item.struct_hash for item in self.log[-40:]}
        assert all(item.struct_hash in logged for item in self.signed[-20:])


TestGuard = GuardMachine.TestCase
# Of the profile's examples, each of 50 steps: a million steps with the 20,000 examples of `make fuzz`.
TestGuard.settings = settings(stateful_step_count=50)
