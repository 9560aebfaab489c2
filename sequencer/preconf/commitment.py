"""A signed flashblock with the leaves under its roots: what every user's proof is cut from."""

from collections.abc import Sequence
from functools import cached_property

from sequencer.core import merkle
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Preconfirmation, SignedFlashblock
from sequencer.core.ports import FlashblockCodec
from sequencer.core.types import Hash32


class Commitment:
    """One signed flashblock. The trees are built when the first proof is asked for."""

    def __init__(
        self,
        domain: Domain,
        codec: FlashblockCodec,
        signed: SignedFlashblock,
        transaction_hashes: Sequence[Hash32],
        outcome_hashes: Sequence[Hash32],
    ) -> None:
        self._domain = domain
        self._codec = codec
        self.signed = signed
        self._transaction_hashes = transaction_hashes
        self._outcome_hashes = outcome_hashes

    def preconfirmation(self, position: int) -> Preconfirmation:
        """The proof for the transaction at ``position`` of the block, which the flashblock must cover."""
        index = position - self.signed.flashblock.first_position
        return Preconfirmation(
            domain=self._domain,
            transaction_hash=self._transaction_hashes[index],
            position=position,
            outcome_hash=self._outcome_hashes[index],
            signed=self.signed,
            order_branch=merkle.branch(self._order_tree, index),
            outcome_branch=merkle.branch(self._outcome_tree, index),
        )

    @cached_property
    def _order_tree(self) -> list[list[Hash32]]:
        return self._codec.tree(self.signed.flashblock.first_position, self._transaction_hashes)

    @cached_property
    def _outcome_tree(self) -> list[list[Hash32]]:
        return self._codec.tree(self.signed.flashblock.first_position, self._outcome_hashes)
