"""Flashblocks linked as a leader links them, for tests of the guard."""

from dataclasses import replace

from sequencer.core.batch import BatchHeader
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock
from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from sequencer.preconf.guard_format import GuardedChain, Home

GENESIS = keccak256(b"genesis")
DOMAIN = Domain(7, ZERO_ADDRESS, GENESIS)
KEY = Address(bytes(range(20)))
CHAIN = GuardedChain(KEY, 7, GENESIS)
HOME = Home(1, bytes(16))


def flashblock(
    block: int, index: int, parent: Hash32 = GENESIS, *, term: int = 1, reset: int = 0, salt: int = 0
) -> Flashblock:
    """One flashblock; another ``salt`` at the same place gives another one."""
    return Flashblock(
        epoch=0,
        term=term,
        reset=reset,
        block_number=block,
        index=index,
        first_position=index,
        transaction_count=1,
        parent=parent,
        order_root=Hash32(salt.to_bytes(32, "big")),
        outcomes_root=ZERO_HASH,
        ordering_policy=ZERO_HASH,
        timestamp_ms=block * 1000 + index,
        post_by=1,
    )


def chain(*places: tuple[int, int], parent: Hash32 = GENESIS, term: int = 1, salt: int = 0) -> list[Flashblock]:
    """Flashblocks at these (block, index) places, each on the one before it."""
    made: list[Flashblock] = []
    for block, index in places:
        made.append(flashblock(block, index, parent, term=term, salt=salt))
        parent = made[-1].struct_hash
    return made


def batch(sequence: int, previous: Hash32 = GENESIS, salt: int = 0) -> BatchHeader:
    return BatchHeader(
        0, 1, 0, sequence, previous, sequence, sequence, ZERO_HASH, ZERO_HASH, ZERO_HASH, 0, keccak256(b"%d" % salt)
    )


def other_term(flashblock: Flashblock, term: int) -> Flashblock:
    return replace(flashblock, term=term)
