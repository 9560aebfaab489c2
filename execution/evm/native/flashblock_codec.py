"""The flashblock codec in the Rust extension: one call a flashblock instead of some dozen steps a transaction."""

from collections.abc import Sequence

import rollup_sequencer_native as native

from sequencer.core import entries
from sequencer.core.entries import Entry, FlashblockEntry
from sequencer.core.types import Hash32


class NativeFlashblockCodec:
    """``FlashblockCodec``; gives what ``core.flashblock_codec`` gives."""

    def roots(
        self, first_position: int, transaction_hashes: Sequence[Hash32], outcome_hashes: Sequence[Hash32]
    ) -> tuple[Hash32, Hash32]:
        roots: tuple[Hash32, Hash32] = native.flashblock_roots(first_position, transaction_hashes, outcome_hashes)
        return roots

    def tree(self, first_position: int, hashes: Sequence[Hash32]) -> list[list[Hash32]]:
        levels: list[list[Hash32]] = native.flashblock_tree(first_position, hashes)
        return levels

    def encode(self, entry: Entry) -> bytes:
        if not isinstance(entry, FlashblockEntry):
            return entries.encode(entry)
        fields = entries.flashblock_fields(entry.flashblock)
        encoded: bytes = native.flashblock_entry(fields, entry.transactions, entry.outcome_hashes, entry.arrivals)
        return encoded
