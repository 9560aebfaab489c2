"""What it takes to make batches and to read them back: speed, and bytes on DA a transfer.

Speeds are per second of CPU, on one core. Closing a batch is more than encoding it: the body is read back and
compared, and the roots of the header are made. ``floorTimesZlib9`` is what no lossless format can go below: the
bytes that were drawn at random (signature, recipient, amount), without the nonces of random senders.
"""

import math
import random
import time
import zlib
from collections.abc import Callable
from typing import Any, Final

from bench.micro import derivation
from bench.micro.workloads import TOKEN, signed, user_address, word
from da import body, compression
from da.batcher import BatchTip, close
from da.blocks import BatchBlock
from da.celestia import namespace
from da.celestia.commitment import commitment
from sequencer.core import merkle
from sequencer.core.block import PayloadAttributes
from sequencer.core.entries import ArrivalRecord, FlashblockEntry
from sequencer.core.flashblock import Flashblock, order_leaves
from sequencer.core.keccak import keccak256
from sequencer.core.types import ZERO_HASH, Address

HOLDERS: Final = 1_000
TRANSFERS: Final = 20_000
TRANSFER_SELECTOR: Final = bytes.fromhex("a9059cbb")
SIGNATURE_BYTES: Final = 64
ADDRESS_BYTES: Final = 20
HOLDER_BYTES: Final = math.log2(HOLDERS) / 8
AMOUNT_BYTES: Final = math.log2(9_999) / 8
_FLASHBLOCK: Final = 200
_BLOCK_FLASHBLOCKS: Final = 10
_START_S: Final = 1_760_000_000


def run() -> dict[str, Any]:
    """Encode and compress 20,000 ERC-20 transfers of each kind; derive a chain of 50,000."""
    blob = bytes(range(256)) * 4096
    started = time.process_time()
    commitment(namespace.from_name(b"sequencer"), blob)
    commitment_s = time.process_time() - started
    return {
        "freshRecipients": _measure(_varied(_fresh), ADDRESS_BYTES + AMOUNT_BYTES),
        "freshRecipientsNothingElseVaries": _measure(_uniform(), ADDRESS_BYTES),
        "amongHolders": _measure(_varied(_holder), HOLDER_BYTES + AMOUNT_BYTES),
        "shareCommitmentMBps": _mbps(len(blob), commitment_s),
        "derive": derivation.run(),
    }


def _measure(transactions: list[bytes], random_bytes: float) -> dict[str, Any]:
    blocks = _blocks(transactions)
    count, raw_bytes = len(transactions), sum(map(len, transactions))
    started = time.process_time()
    encoded = body.encode(blocks)
    encoded_at = time.process_time()
    compressed = compression.compress(encoded)
    compressed_at = time.process_time()
    close(BatchTip.at_genesis(ZERO_HASH), blocks, epoch=0, term=1)
    closed_at = time.process_time()
    zlib_bytes = len(zlib.compress(b"".join(transactions), 9))
    return {
        "rawBytesPerTransfer": round(raw_bytes / count, 1),
        "daBytesPerTransfer": round(len(compressed) / count, 1),
        "timesZlib9": round(len(compressed) / zlib_bytes, 3),
        "floorTimesZlib9": round((SIGNATURE_BYTES + random_bytes) * count / zlib_bytes, 3),
        "encodeMBps": _mbps(raw_bytes, encoded_at - started),
        "compressMBps": _mbps(raw_bytes, compressed_at - encoded_at),
        "encodeAndCompressMBps": _mbps(raw_bytes, compressed_at - started),
        "closeMBps": _mbps(raw_bytes, closed_at - compressed_at),
    }


def _fresh(rng: random.Random) -> Address:
    return Address(rng.randbytes(20))


def _holder(rng: random.Random) -> Address:
    return user_address(rng.randrange(HOLDERS))


def _varied(recipient: Callable[[random.Random], Address]) -> list[bytes]:
    """From holders at random, amounts of four digits."""
    rng = random.Random(7)
    nonces = [0] * HOLDERS
    transactions = []
    for _ in range(TRANSFERS):
        sender = rng.randrange(HOLDERS)
        transactions.append(_transfer(sender, nonces[sender], recipient(rng), rng.randrange(1, 10_000) * 10**14))
        nonces[sender] += 1
    return transactions


def _uniform() -> list[bytes]:
    """From holders in turn, amounts that repeat."""
    rng = random.Random(7)
    return [_transfer(n % HOLDERS, n // HOLDERS, _fresh(rng), 10**15 + n % 97) for n in range(TRANSFERS)]


def _transfer(sender: int, nonce: int, recipient: Address, amount: int) -> bytes:
    data = TRANSFER_SELECTOR + recipient.rjust(32, b"\0") + word(amount)
    return signed(sender, nonce, TOKEN, data=data, gas=60_000)


def _blocks(transactions: list[bytes]) -> list[BatchBlock]:
    blocks: list[BatchBlock] = []
    parent, flashblock_parent = ZERO_HASH, ZERO_HASH
    size = _FLASHBLOCK * _BLOCK_FLASHBLOCKS
    for number, start in enumerate(range(0, len(transactions), size), start=1):
        attributes = PayloadAttributes(
            number=number,
            parent_hash=parent,
            timestamp=_START_S + number,
            gas_limit=30_000_000,
            base_fee_per_gas=10**9,
            coinbase=Address(bytes(20)),
            prev_randao=keccak256(b"randao %d" % number),
            extra_data=keccak256(b"fcfs"),
            term=1,
        )
        entries = []
        for index, at in enumerate(range(start, min(start + size, len(transactions)), _FLASHBLOCK)):
            raws = tuple(transactions[at : at + _FLASHBLOCK])
            hashes = [keccak256(raw) for raw in raws]
            flashblock = Flashblock(
                epoch=0,
                term=1,
                reset=0,
                block_number=number,
                index=index,
                first_position=at - start,
                transaction_count=len(raws),
                parent=flashblock_parent,
                order_root=merkle.root(order_leaves(at - start, hashes)),
                outcomes_root=keccak256(b"outcomes %d" % at),
                ordering_policy=attributes.extra_data,
                timestamp_ms=attributes.timestamp * 1000 + index * 10,
                post_by=attributes.timestamp + 3600,
            )
            arrivals = tuple(ArrivalRecord(at + i, (at + i) % 9, 0) for i in range(len(raws)))
            entries.append(FlashblockEntry(flashblock, raws, tuple(hashes), arrivals))
            flashblock_parent = flashblock.struct_hash
        block = BatchBlock(attributes, tuple(entries), keccak256(b"block %d" % number), keccak256(b"state %d" % number))
        parent = block.hash
        blocks.append(block)
    return blocks


def _mbps(size_bytes: int, seconds: float) -> float:
    return round(size_bytes / 1e6 / max(seconds, 1e-9), 1)
