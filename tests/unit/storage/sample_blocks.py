"""Blocks for tests of the store: well-formed transactions and receipts, nothing executed."""

from collections.abc import Sequence
from functools import cache

from sequencer.core import rlp
from sequencer.core.block import Block, Header
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.keccak import keccak256
from sequencer.core.receipt import ExecutedOutcome, Log, Outcome, outcome
from sequencer.core.transaction import RecoveredTransaction, Transaction, with_known_sender
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address, Hash32, Signature


def address(number: int) -> Address:
    return Address(keccak256(b"address %d" % number)[:20])


def topic(number: int) -> Hash32:
    return keccak256(b"topic %d" % number)


@cache
def transaction(number: int) -> RecoveredTransaction:
    """A type-2 or legacy transaction; the signature is filler and the sender invented."""
    if number % 5 == 0:
        fields: list[object] = [number, 7, 21000, address(number), number, b"", 37, 1, 1]
        raw = rlp.encode([rlp.uint(f) if isinstance(f, int) else f for f in fields])  # type: ignore[misc]
    else:
        typed = [777, number, 1, 9, 21000, address(number), number, b"\x01" * (number % 40)]
        items = [rlp.encode_bytes(rlp.uint(f) if isinstance(f, int) else f) for f in typed]
        raw = b"\x02" + rlp.encode_list([*items, b"\xc0", b"\x01", b"\x01", b"\x01"])
    return with_known_sender(raw, address(number + 1))


def executed(
    number: int, cumulative: int, logs: Sequence[Log] = (), *, creates: bool = False, succeeded: bool = True
) -> ExecutedOutcome:
    contract = address(number + 7) if creates else None
    return outcome(transaction(number).type, succeeded, 21000, cumulative, contract, tuple(logs))


def block(
    number: int, parent: Hash32, logs: Sequence[Sequence[Log]] = (), *, count: int | None = None, salt: int = 0
) -> Block:
    """A block with one transaction for each of ``logs``, or ``count`` without any logs."""
    per_transaction = logs if count is None else [()] * count
    first = number * 10_000 + salt * 1_000_000
    transactions: tuple[Transaction, ...] = tuple(transaction(first + i) for i in range(len(per_transaction)))
    outcomes: tuple[Outcome, ...] = tuple(
        executed(first + i, 21000 * (i + 1), each, creates=i % 3 == 1, succeeded=i % 4 != 3)
        for i, each in enumerate(per_transaction)
    )
    header = Header(
        parent_hash=parent,
        coinbase=ZERO_ADDRESS,
        state_root=keccak256(b"state %d %d" % (number, salt)),
        number=number,
        gas_limit=30_000_000,
        timestamp=number,
        prev_randao=ZERO_HASH,
        base_fee_per_gas=7,
    )
    return Block(header, transactions, outcomes)


def chain(length: int, count: int = 3) -> list[Block]:
    """Blocks 0 to ``length - 1``; block 0 is empty."""
    blocks: list[Block] = []
    parent = ZERO_HASH
    for number in range(length):
        blocks.append(block(number, parent, count=count if number else 0))
        parent = blocks[-1].header.hash
    return blocks


def signed_flashblock(number: int, index: int = 0) -> SignedFlashblock:
    struct = Flashblock(
        1, 2, 3, number, index, 4, 5, topic(1), topic(2), topic(3), topic(4), timestamp_ms=2**40, post_by=2**33
    )
    return SignedFlashblock(struct, address(1), Signature(bytes(range(65))))


_TRANSACTION_FIELDS = [
    "raw hash sender type chain_id nonce max_priority_fee_per_gas max_fee_per_gas gas_limit to value data access_list",
    "authorizations blob_hashes max_fee_per_blob_gas y_parity r s",
]
_OUTCOME_FIELDS = [
    "succeeded",
    "gas_used",
    "cumulative_gas_used",
    "contract_address",
    "logs",
    "logs_bloom",
    "receipt",
    "outcome_hash",
]


def contents(of: Block) -> tuple[object, ...]:
    """Everything that a block says, for comparison."""
    names = " ".join(_TRANSACTION_FIELDS).split()
    return (
        of.header,
        [[getattr(each, name) for name in names] for each in of.transactions],
        [[getattr(each, name) for name in _OUTCOME_FIELDS] for each in of.outcomes],
    )
