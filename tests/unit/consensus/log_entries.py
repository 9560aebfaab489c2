"""Entries for tests of the log: small, valid, and different from each other."""

from sequencer.core.block import PayloadAttributes
from sequencer.core.entries import ArrivalRecord, BatchClosed, BlockOpen, BlockSeal, Entry, FlashblockEntry, Takeover
from sequencer.core.flashblock import Flashblock
from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Hash32

GENESIS = keccak256(b"genesis")


def batch(number: int) -> BatchClosed:
    """An entry that says nothing but its number."""
    return BatchClosed(number, number, number, keccak256(b"%d" % number))


def takeover(term: int) -> Takeover:
    return Takeover(0, term)


def block_open(number: int, parent: Hash32 = GENESIS, term: int = 0, reset: int = 0) -> BlockOpen:
    return BlockOpen(
        PayloadAttributes(
            number=number,
            parent_hash=parent,
            timestamp=number,
            gas_limit=30_000_000,
            base_fee_per_gas=7,
            coinbase=ZERO_ADDRESS,
            prev_randao=ZERO_HASH,
            extra_data=ZERO_HASH,
            term=term,
            reset=reset,
        )
    )


def flashblock(
    block: int,
    index: int,
    parent: Hash32,
    *,
    first_position: int = 0,
    count: int = 1,
    term: int = 0,
    size_bytes: int = 100,
    reset: int = 0,
) -> FlashblockEntry:
    """A flashblock whose transactions are filler."""
    struct = Flashblock(
        epoch=0,
        term=term,
        reset=reset,
        block_number=block,
        index=index,
        first_position=first_position,
        transaction_count=count,
        parent=parent,
        order_root=ZERO_HASH,
        outcomes_root=ZERO_HASH,
        ordering_policy=ZERO_HASH,
        timestamp_ms=block * 1000,
        post_by=1,
    )
    raws = tuple(bytes([0xF8, i % 256]) * (size_bytes // 2) for i in range(count))
    return FlashblockEntry(struct, raws, (ZERO_HASH,) * count, tuple(ArrivalRecord(i, 1, 0) for i in range(count)))


def block_seal(number: int) -> BlockSeal:
    return BlockSeal(number, keccak256(b"block %d" % number), ZERO_HASH)


def chain(blocks: int, *, term: int = 1) -> list[Entry]:
    """A takeover and ``blocks`` blocks, every third one empty."""
    entries: list[Entry] = [takeover(term)]
    parent, tip = GENESIS, GENESIS
    for number in range(1, blocks + 1):
        entries.append(block_open(number, parent, term))
        for index in range(number % 3):
            entry = flashblock(number, index, tip, first_position=index, term=term)
            tip = entry.flashblock.struct_hash
            entries.append(entry)
        seal = block_seal(number)
        entries.append(seal)
        parent = seal.hash
    return entries
