"""The flashblock codec in Python: the definition that every other one is held to."""

from collections.abc import Sequence

from sequencer.core import entries, merkle
from sequencer.core.entries import Entry
from sequencer.core.flashblock import order_leaves, outcome_leaves
from sequencer.core.types import Hash32


class PythonFlashblockCodec:
    """``FlashblockCodec`` as the protocol has it, step by step."""

    def roots(
        self, first_position: int, transaction_hashes: Sequence[Hash32], outcome_hashes: Sequence[Hash32]
    ) -> tuple[Hash32, Hash32]:
        order = merkle.root(order_leaves(first_position, transaction_hashes))
        return order, merkle.root(outcome_leaves(first_position, outcome_hashes))

    def tree(self, first_position: int, hashes: Sequence[Hash32]) -> list[list[Hash32]]:
        return merkle.levels(order_leaves(first_position, hashes))  # both trees have leaves of one form

    def encode(self, entry: Entry) -> bytes:
        return entries.encode(entry)
