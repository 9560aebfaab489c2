"""The batch header: the identity of a run of blocks on the DA layer (protocol, section 5)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Final

from sequencer.core import merkle
from sequencer.core.eip712 import word
from sequencer.core.flashblock import Flashblock
from sequencer.core.keccak import keccak256
from sequencer.core.types import Hash32

BATCH_HEADER_TYPE: Final = (
    "BatchHeader(uint64 epoch,uint64 term,uint32 reset,uint64 sequence,bytes32 previousBatch,uint64 firstBlock,"
    "uint64 lastBlock,bytes32 lastBlockHash,bytes32 stateRoot,bytes32 flashblocksRoot,uint32 flashblockCount,"
    "bytes32 dataHash)"
)
_TYPE_HASH: Final = keccak256(BATCH_HEADER_TYPE.encode())


@dataclass(frozen=True)
class BatchHeader:
    """Fields in the order of the EIP-712 type. The struct hash, without signatures, is the batch's identity.

    ``previous_batch`` of the first batch is the genesis hash; ``data_hash`` covers the uncompressed body.
    """

    epoch: int
    term: int
    reset: int
    sequence: int
    previous_batch: Hash32
    first_block: int
    last_block: int
    last_block_hash: Hash32
    state_root: Hash32
    flashblocks_root: Hash32
    flashblock_count: int
    data_hash: Hash32

    @cached_property
    def struct_hash(self) -> Hash32:
        """The EIP-712 struct hash."""
        return keccak256(_TYPE_HASH + b"".join(map(word, _VALUES(self))))


_VALUES = attrgetter(*(spec.name for spec in fields(BatchHeader)))


def flashblock_place_leaf(block_number: int, index: int, struct_hash: Hash32) -> Hash32:
    """Leaf of ``flashblocksRoot``: keccak256(0x00 || abi.encode(uint64 blockNumber, uint32 index, bytes32 hash))."""
    return merkle.leaf(word(block_number) + word(index) + struct_hash)


def flashblocks_root(flashblocks: Iterable[Flashblock]) -> Hash32:
    """The root over every flashblock of the batch, in order; zero when there is none."""
    return merkle.root([flashblock_place_leaf(f.block_number, f.index, f.struct_hash) for f in flashblocks])
