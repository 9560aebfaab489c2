"""One small example of everything that crosses a boundary, as the code encodes it.

The same values stand in ``tests/golden/wire.json``, for implementations in other languages, and in the tables
of ``docs/wire.md``. After a deliberate change of a format, ``python -m tests.unit.da.wire_vectors`` rewrites
the former.
"""

import json
from pathlib import Path

from da import blob, body, codec, compression, submission, transaction_columns
from da.batcher import BatchTip, close
from da.blocks import BatchBlock
from da.celestia import namespace
from da.celestia.commitment import commitment
from da.ethereum import inbox, journal
from da.ethereum.inbox import Place
from da.ethereum.journal import Sent
from da.ethereum.transaction import Fees
from da.submission import Submission
from sequencer.core import entries, merkle, rlp, secp256k1
from sequencer.core.batch import BATCH_HEADER_TYPE, flashblock_place_leaf
from sequencer.core.block import PayloadAttributes
from sequencer.core.eip712 import Domain, word
from sequencer.core.entries import (
    ArrivalRecord,
    BatchClosed,
    BlockOpen,
    BlockSeal,
    FlashblockEntry,
    Takeover,
)
from sequencer.core.flashblock import (
    FLASHBLOCK_TYPE,
    Flashblock,
    order_leaf,
    order_leaves,
    outcome_leaf,
    outcome_leaves,
)
from sequencer.core.keccak import keccak256
from sequencer.core.ports import BlobRef
from sequencer.core.types import Address

GOLDEN = Path(__file__).parents[2] / "golden" / "wire.json"

KEY = keccak256(b"wire example key")
NAMESPACE = namespace.from_name(b"\x01sequence")
GENESIS_HASH = keccak256(b"wire example genesis")
DOMAIN = Domain(4242, Address(bytes(18) + b"\x08\x01"), GENESIS_HASH)
TRANSACTIONS = (b"\x02first example transaction", b"\x02second")
OUTCOMES = (keccak256(b"first receipt"), keccak256(b"second receipt"))

ATTRIBUTES = PayloadAttributes(
    number=1,
    parent_hash=GENESIS_HASH,
    timestamp=1_700_000_001,
    gas_limit=30_000_000,
    base_fee_per_gas=10**9,
    coinbase=Address(b"\x0f" * 20),
    prev_randao=keccak256(b"randomness"),
    extra_data=keccak256(b"fcfs"),
    term=7,
)
FLASHBLOCK = Flashblock(
    epoch=0,
    term=7,
    reset=0,
    block_number=1,
    index=0,
    first_position=0,
    transaction_count=2,
    parent=GENESIS_HASH,
    order_root=merkle.root(order_leaves(0, [keccak256(raw) for raw in TRANSACTIONS])),
    outcomes_root=merkle.root(outcome_leaves(0, OUTCOMES)),
    ordering_policy=keccak256(b"fcfs"),
    timestamp_ms=1_700_000_001_250,
    post_by=1_700_003_601,
)
ENTRY = FlashblockEntry(FLASHBLOCK, TRANSACTIONS, OUTCOMES, (ArrivalRecord(41, 3, 0), ArrivalRecord(42, 1, 1)))
BLOCK = BatchBlock(ATTRIBUTES, (ENTRY,), keccak256(b"block 1"), keccak256(b"state 1"))
CLOSED = close(BatchTip.at_genesis(GENESIS_HASH), [BLOCK], epoch=0, term=7)
HEADER = CLOSED.header
BATCH = CLOSED.signed([secp256k1.sign(KEY, DOMAIN.digest(HEADER.struct_hash))])


TRANSFER = bytes.fromhex("a9059cbb") + bytes(12) + b"\x21" * 20 + (25 * 10**17).to_bytes(32, "big")


def _signed() -> tuple[bytes, bytes, bytes]:
    """A token transfer (type 2), a payment to the same recipient (legacy), and bytes that are no transaction."""
    head: list[rlp.Item] = [*map(rlp.uint, (4242, 5, 10**9, 3 * 10**9, 60_000)), b"\x70" * 20, b"", TRANSFER, []]
    one = secp256k1.sign(KEY, keccak256(b"\x02" + rlp.encode(head)))
    token = b"\x02" + rlp.encode([*head, rlp.uint(one[64] - 27), one[:32].lstrip(b"\0"), one[32:64].lstrip(b"\0")])
    head = [*map(rlp.uint, (6, 10**9, 21_000)), b"\x21" * 20, rlp.uint(10**18), b""]
    two = secp256k1.sign(KEY, keccak256(rlp.encode([*head, rlp.uint(4242), b"", b""])))
    v = 35 + 2 * 4242 + two[64] - 27
    payment = rlp.encode([*head, rlp.uint(v), two[:32].lstrip(b"\0"), two[32:64].lstrip(b"\0")])
    return token, payment, TRANSACTIONS[1]


SIGNED = _signed()


def vectors() -> dict[str, bytes]:
    """Every example by name. Names that end in ``Preimage`` are what is hashed; the hash has the name before it."""
    leaves = order_leaves(0, [keccak256(raw) for raw in TRANSACTIONS])
    digest = DOMAIN.digest(FLASHBLOCK.struct_hash)
    return {
        "domainSeparatorPreimage": keccak256(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
        )
        + keccak256(b"Rollup Sequencer")
        + keccak256(b"1")
        + word(DOMAIN.chain_id)
        + word(DOMAIN.verifying_contract)
        + DOMAIN.genesis_hash,
        "domainSeparator": DOMAIN.separator,
        "flashblockPreimage": _struct_preimage(FLASHBLOCK_TYPE, FLASHBLOCK),
        "flashblock": FLASHBLOCK.struct_hash,
        "digestPreimage": b"\x19\x01" + DOMAIN.separator + FLASHBLOCK.struct_hash,
        "digest": digest,
        "signature": secp256k1.sign(KEY, digest),
        "orderLeafPreimage": b"\0" + word(1) + keccak256(TRANSACTIONS[1]),
        "orderLeaf": order_leaf(1, keccak256(TRANSACTIONS[1])),
        "outcomeLeafPreimage": b"\0" + word(1) + OUTCOMES[1],
        "outcomeLeaf": outcome_leaf(1, OUTCOMES[1]),
        "nodePreimage": b"\1" + leaves[0] + leaves[1],
        "node": merkle.node(leaves[0], leaves[1]),
        "entryBlockOpen": entries.encode(BlockOpen(ATTRIBUTES)),
        "entryFlashblock": entries.encode(ENTRY),
        "entryBlockSeal": entries.encode(BlockSeal(1, BLOCK.hash, BLOCK.state_root)),
        "entryBatchClosed": entries.encode(BatchClosed(1, 1, 1, HEADER.data_hash)),
        "entryTakeover": entries.encode(Takeover(0, 7)),
        "batchHeaderPreimage": _struct_preimage(BATCH_HEADER_TYPE, HEADER),
        "batchHeader": HEADER.struct_hash,
        "placeLeafPreimage": b"\0" + word(1) + word(0) + FLASHBLOCK.struct_hash,
        "placeLeaf": flashblock_place_leaf(1, 0, FLASHBLOCK.struct_hash),
        "header": codec.encode_header(HEADER),
        "body": body.encode([BLOCK]),
        "transactionsSection": transaction_columns.encode(SIGNED),
        "batch": BATCH.encoded,
        "frame": blob.pack(HEADER.struct_hash, b"a batch", 64)[0],
        "celestiaNamespace": NAMESPACE,
        "celestiaCommitment": commitment(NAMESPACE, blob.pack(HEADER.struct_hash, b"a batch", 64)[0]),
        "inboxPostBlobs": inbox.post_blobs(HEADER.struct_hash),
        "inboxPostCalldata": inbox.post_calldata(HEADER.struct_hash, b"a batch"),
        "outboxRow": submission.encode(_submission()),
        "l1JournalRow": journal.encode(_sent()),
    }


def _submission() -> Submission:
    prepared = Submission.prepare(BATCH, 500, 1 << 20, 1_700_000_003_000)
    submitted = prepared.attempted(1_700_000_003_005, 8).submitted((BlobRef("celestia", 9, keccak256(b"blob")),))
    return submitted.included(fee=7_300, fee_unit="utia")


def _sent() -> Sent:
    versioned_hash, transaction = keccak256(b"versioned hash"), keccak256(b"transaction")
    return Sent(5, HEADER.struct_hash, Place.BLOBS, (versioned_hash,), (transaction,), Fees(21 * 10**9, 10**9, 2))


def _struct_preimage(type_text: str, struct: object) -> bytes:
    names = [member.split(" ")[1] for member in type_text[type_text.index("(") + 1 : -1].split(",")]
    snake = ["".join("_" + c.lower() if c.isupper() else c for c in name) for name in names]
    return keccak256(type_text.encode()) + b"".join(word(getattr(struct, name)) for name in snake)


def golden() -> dict[str, bytes]:
    """The examples as they are kept."""
    return {name: bytes.fromhex(text[2:]) for name, text in json.loads(GOLDEN.read_text()).items()}


def uncompressed(batch: bytes) -> bytes:
    """The body of an encoded batch."""
    return compression.decompress(codec.decode(batch).compressed, 10_000)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: "0x" + value.hex() for name, value in vectors().items()}, indent=2) + "\n")
