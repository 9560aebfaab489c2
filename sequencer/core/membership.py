"""Who may sequence a chain: the set of sequencers at an epoch.

Without a Beacon Layer the set is static: epoch 0, read from the genesis file.
"""

from dataclasses import dataclass

from sequencer.core.types import Address


@dataclass(frozen=True, slots=True)
class SequencerInfo:
    """One member: the address its promises are signed for, and where its fees go."""

    address: Address
    fee_recipient: Address


@dataclass(frozen=True, slots=True)
class SequencerSet:
    """The members at one epoch, in a fixed order."""

    epoch: int
    members: tuple[SequencerInfo, ...]

    def member(self, address: Address) -> SequencerInfo | None:
        """The member that signs with ``address``, if any."""
        return next((member for member in self.members if member.address == address), None)

    @property
    def quorum(self) -> int:
        """How many signatures make a batch valid (protocol, section 3)."""
        size = len(self.members)
        return size // 2 + 1 if size <= 3 else size * 2 // 3 + 1
