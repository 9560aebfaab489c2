"""Who holds the express lane, round by round.

A lane is sold for rounds of equal length, counted from the unix epoch. Whoever sells it (a sealed-bid
auction, a governance vote) keeps the result in a contract whose storage slot 0 is
``mapping(uint256 round => address holder)``; a value that stands there when the round begins is the round's
holder, for good. Reading a slot needs no code of ours in the contract, and anyone can prove what stood there
(``eth_getProof``).
"""

from typing import Final, Protocol

from sequencer.core.eip712 import word
from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_ADDRESS, Address, Hash32

ROUNDS_KEPT: Final = 64
"""Rounds that a ``LaneTable`` remembers; transactions older than this have no advantage left to claim."""


class LaneHolders(Protocol):
    """Says who holds the lane. The answer for a round never changes once the round has begun."""

    def holder(self, number: int) -> Address | None:
        """Of round ``number``; None if nobody does or it is not known."""
        ...


class FixedHolder:
    """One holder for all rounds, or nobody."""

    def __init__(self, address: Address | None) -> None:
        self._address = address

    def holder(self, number: int) -> Address | None:  # noqa: ARG002
        """The same for every round."""
        return self._address


class LaneTable:
    """Holders as they were read from a contract. Whoever reads it calls ``learn`` before a round begins."""

    def __init__(self) -> None:
        self._holders: dict[int, Address | None] = {}

    def holder(self, number: int) -> Address | None:
        """What was learnt."""
        return self._holders.get(number)

    def knows(self, number: int) -> bool:
        """The round's holder is settled, be it nobody."""
        return number in self._holders

    def learn(self, number: int, slot_value: Hash32) -> None:
        """The value of ``holder_slot(number)``. Only the first time counts; the oldest round is forgotten."""
        if number in self._holders:
            return
        address = Address(slot_value[12:])
        self._holders[number] = None if address == ZERO_ADDRESS else address
        if len(self._holders) > ROUNDS_KEPT:
            del self._holders[min(self._holders)]


def holder_slot(number: int) -> Hash32:
    """Where the contract keeps the holder of a round (Solidity's layout of a mapping at slot 0)."""
    return keccak256(word(number) + word(0))
