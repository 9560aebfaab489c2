"""Chains for the tests of the DA part: well-formed blocks, flashblocks and signed batches, made from a seed.

Block hashes and state roots are invented, since nothing here executes; everything that derivation can check
without executing is true.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from da.batcher import BatchTip, close
from da.blocks import BatchBlock
from da.codec import SignedBatch
from da.derive import Derivation
from sequencer.core import merkle, secp256k1
from sequencer.core.block import BlockRef, PayloadAttributes
from sequencer.core.eip712 import Domain
from sequencer.core.entries import ArrivalRecord, FlashblockEntry
from sequencer.core.flashblock import Flashblock, order_leaves, outcome_leaves
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo, SequencerSet
from sequencer.core.types import Address, Hash32

KEY = bytes(31) + b"\x01"
STRANGER_KEY = bytes(31) + b"\x02"
GENESIS = BlockRef(0, keccak256(b"genesis"))
DOMAIN = Domain(4242, Address(bytes(18) + b"\x08\x01"), GENESIS.hash)
MEMBERS = SequencerSet(0, (SequencerInfo(secp256k1.address_of_private_key(KEY), Address(b"\x0f" * 20)),))
START_S = 1_700_000_000


def derivation(members: SequencerSet = MEMBERS) -> Derivation:
    """A derivation at genesis, with the one epoch there is."""
    return Derivation(DOMAIN, GENESIS, START_S, lambda epoch: members if epoch == members.epoch else None)


@dataclass(frozen=True)
class Shape:
    """How many flashblocks a block has, how many transactions each, and how long those are at most."""

    flashblocks: int = 2
    transactions: int = 3
    transaction_bytes: int = 120


class ChainMaker:
    """Makes one block on top of the other."""

    def __init__(self, seed: int = 0, term: int = 1) -> None:
        self._rng = random.Random(seed)
        self._term = term
        self._number = 0
        self._parent = self._flashblock_parent = GENESIS.hash
        self._arrival = 0

    def next(self, shape: Shape | None = None) -> BatchBlock:
        """The next block. Without a shape, of any size, empty too."""
        rng = self._rng
        self._number += 1
        this = shape or Shape(rng.randrange(4), rng.randrange(1, 5), rng.choice((1, 60, 130, 700)))
        attributes = PayloadAttributes(
            number=self._number,
            parent_hash=self._parent,
            timestamp=START_S + self._number,
            gas_limit=30_000_000,
            base_fee_per_gas=10**9 + rng.randrange(10**6),
            coinbase=Address(b"\x0f" * 20),
            prev_randao=Hash32(rng.randbytes(32)),
            extra_data=keccak256(b"fcfs"),
            term=self._term,
        )
        entries, self._flashblock_parent, self._arrival = _make_flashblocks(
            rng, attributes, this, self._flashblock_parent, self._arrival
        )
        block = BatchBlock(attributes, entries, Hash32(rng.randbytes(32)), Hash32(rng.randbytes(32)))
        self._parent = block.hash
        return block


def make_blocks(count: int, seed: int = 0, shape: Shape | None = None, term: int = 1) -> list[BatchBlock]:
    """A chain of ``count`` blocks on genesis. Without a shape, blocks of all sizes, empty ones too."""
    maker = ChainMaker(seed, term)
    return [maker.next(shape) for _ in range(count)]


def _make_flashblocks(
    rng: random.Random, block: PayloadAttributes, shape: Shape, parent: Hash32, arrival: int
) -> tuple[tuple[FlashblockEntry, ...], Hash32, int]:
    entries = []
    position = 0
    for index in range(shape.flashblocks):
        raws = tuple(rng.randbytes(rng.randrange(1, shape.transaction_bytes + 1)) for _ in range(shape.transactions))
        outcomes = tuple(Hash32(rng.randbytes(32)) for _ in raws)
        flashblock = Flashblock(
            epoch=block.epoch,
            term=block.term,
            reset=block.reset,
            block_number=block.number,
            index=index,
            first_position=position,
            transaction_count=len(raws),
            parent=parent,
            order_root=merkle.root(order_leaves(position, [keccak256(raw) for raw in raws])),
            outcomes_root=merkle.root(outcome_leaves(position, outcomes)),
            ordering_policy=block.extra_data,
            timestamp_ms=block.timestamp * 1000 + index * 10,
            post_by=block.timestamp + 3600,
        )
        arrivals = tuple(ArrivalRecord(arrival + i, rng.randrange(30), i % 2) for i in range(len(raws)))
        arrival += len(raws)
        position += len(raws)
        parent = flashblock.struct_hash
        entries.append(FlashblockEntry(flashblock, raws, outcomes, arrivals))
    return tuple(entries), parent, arrival


def make_batch(tip: BatchTip, blocks: Sequence[BatchBlock], key: bytes = KEY, term: int = 1) -> SignedBatch:
    """The batch of ``blocks`` after ``tip``, signed with ``key``."""
    closed = close(tip, blocks, epoch=0, term=term)
    return closed.signed([secp256k1.sign(key, DOMAIN.digest(closed.header.struct_hash))])


def make_batches(count: int, per_batch: int = 2, seed: int = 0, shape: Shape | None = None) -> list[SignedBatch]:
    """``count`` batches of ``per_batch`` blocks, one after the other, from genesis."""
    blocks = make_blocks(count * per_batch, seed, shape)
    tip = BatchTip.at_genesis(GENESIS.hash)
    batches = []
    for start in range(0, len(blocks), per_batch):
        batches.append(make_batch(tip, blocks[start : start + per_batch]))
        tip = BatchTip.after(batches[-1].header)
    return batches
