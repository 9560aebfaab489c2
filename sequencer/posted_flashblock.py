"""Looks up a flashblock's place on a data availability layer, as anyone can.

The rules are those of derivation: only a batch that extends the one before it, back to genesis, and is signed by
enough of its epoch's set counts. Blocks are not executed again here; ``sequencer derive`` does that.
"""

from collections.abc import Iterable

from da.derive import AcceptedBatch, Derivation
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock
from sequencer.core.genesis import Genesis
from sequencer.core.membership import SequencerSet
from sequencer.core.ports import BlobRef
from sequencer.core.types import Hash32
from sequencer.genesis_block import genesis_header
from sequencer.preconf.verify import PostedPlace


def find_posted(
    blobs: Iterable[tuple[BlobRef, bytes]], genesis: Genesis, flashblock: Flashblock, now_s: int
) -> PostedPlace:
    """What stands at ``flashblock``'s block and index among ``blobs``, which are all of a layer in its order."""
    spec, header = genesis.spec, genesis_header(genesis)

    def set_at(epoch: int) -> SequencerSet | None:
        return spec.sequencers if epoch == spec.sequencers.epoch else None

    domain = Domain(spec.chain_id, spec.verifying_contract, header.hash)
    rules = Derivation(domain, header.ref, header.timestamp, set_at)
    for ref, blob in blobs:
        for event in rules.feed(ref, blob):
            if isinstance(event, AcceptedBatch) and event.header.last_block >= flashblock.block_number:
                struct_hash = _at(event, flashblock.block_number, flashblock.index)
                return PostedPlace(now_s, event.header.last_block, event.header.sequence, struct_hash)
    return PostedPlace(now_s, rules.tip.last_block.number)


def _at(batch: AcceptedBatch, block_number: int, index: int) -> Hash32 | None:
    if block_number < batch.header.first_block:
        return None
    entries = batch.blocks[block_number - batch.header.first_block].flashblocks
    return entries[index].flashblock.struct_hash if index < len(entries) else None
