"""Executes a stored chain again, on one or more engines side by side, and names the first difference.

Every engine starts from genesis in an empty folder, so nothing that a damaged state could hide is trusted. The
stored chain is one of the things compared: an engine that agrees with another but not with what was promised
has found a difference too.
"""

from collections.abc import Mapping

from sequencer.core.chain_spec import ChainSpec
from sequencer.core.errors import Fatal
from sequencer.storage.blocks import BlockStore
from sequencer.verification.comparison import Difference, compare
from sequencer.verification.reexecution import Witness


def first_difference(
    spec: ChainSpec, store: BlockStore, witnesses: Mapping[str, Witness], first: int, last: int
) -> Difference | None:
    """Execute blocks 1 to ``last`` on every witness and compare ``first`` to ``last``. Blocking."""
    for number in range(1, last + 1):
        block = store.block(number)
        if block is None:
            raise Fatal(f"the block store has no block {number}")
        found = compare(block, {name: witness.execute(spec, block).answer() for name, witness in witnesses.items()})
        if found is not None and number >= first:
            return found
        for witness in witnesses.values():
            witness.engine.commit(number)
    return None
