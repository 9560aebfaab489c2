"""What the node shows of a chain: the shapes that JSON-RPC, subscriptions and feeds are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.flashblock import Preconfirmation, SignedFlashblock
from sequencer.core.receipt import Log, Outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import Hash32


class Inclusion(NamedTuple):
    """A transaction at its place in a block. Everything in it is final, except that an open block has no hash.

    ``block`` is the header once sealed, the attributes before. ``first_log_index`` counts the logs of the
    block before this transaction's own.
    """

    block: Header | PayloadAttributes
    position: int
    first_log_index: int
    transaction: Transaction
    outcome: Outcome

    @property
    def sealed(self) -> bool:
        """The block has its hash."""
        return isinstance(self.block, Header)


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """The open block as far as it is pre-confirmed."""

    attributes: PayloadAttributes
    transactions: tuple[Transaction, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log of a sealed block at its place. ``log_index`` counts the logs of the block; the timestamp is unix
    seconds."""

    log: Log
    block_number: int
    block_hash: Hash32
    block_timestamp: int
    transaction_hash: Hash32
    transaction_index: int
    log_index: int


class Status(StrEnum):
    """How far a transaction has come (``sequencer_getTransactionStatus``)."""

    RECEIVED = "received"
    QUEUED = "queued"
    PRECONFIRMED = "preconfirmed"
    SEALED = "sealed"
    POSTED = "posted"
    SAFE = "safe"
    FINALIZED = "finalized"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """The status, when each earlier one was reached (unix milliseconds), why it was dropped, and what it takes of
    its batch once that is posted."""

    status: Status
    times_ms: Mapping[Status, int] = field(default_factory=dict)
    reason: str = ""
    share: "DataShare | None" = None


@dataclass(frozen=True, slots=True)
class Preconfirmed:
    """An inclusion together with its signed promise."""

    inclusion: Inclusion
    preconfirmation: Preconfirmation


@dataclass(frozen=True, slots=True)
class TransactionsPooled:
    """Event: transactions entered the pool's executable part."""

    transactions: tuple[Transaction, ...]


@dataclass(frozen=True, slots=True)
class FlashblockPublished:
    """Event: a flashblock is durable and signed; its transactions are pre-confirmed."""

    signed: SignedFlashblock
    inclusions: Sequence[Inclusion]


@dataclass(frozen=True, slots=True)
class BlockSealed:
    """Event: a block is complete and stored."""

    block: Block


@dataclass(frozen=True, slots=True)
class BlocksReset:
    """Event: a reset undid these blocks, newest first (protocol, section 5)."""

    blocks: tuple[Block, ...]


ChainEvent: TypeAlias = TransactionsPooled | FlashblockPublished | BlockSealed | BlocksReset


@dataclass(frozen=True, slots=True)
class PromiseLedger:
    """How many transactions were promised a place, and what became of it."""

    issued: int
    kept: int
    broken: int
    slashed: int


@dataclass(frozen=True, slots=True)
class PostedBatch:
    """A batch and where it stands on DA (``sequencer_getBatch``)."""

    sequence: int
    header_hash: Hash32
    first_block: int
    last_block: int
    data_hash: Hash32
    state: str
    layer: str
    height: int | None
    size_bytes: int
    transactions: int = 0
    transaction_bytes: int = 0
    """Of its raw transactions, which is what shares of the fee are measured by."""
    fee: int = 0
    """What posting cost, in ``fee_unit``; 0 while it is not known, and where it costs nothing."""
    fee_unit: str = ""

    def share(self, raw_bytes: int) -> "DataShare":
        """What a transaction of ``raw_bytes`` takes of this batch, each part rounded down."""
        whole = max(self.transaction_bytes, raw_bytes, 1)
        return DataShare(self, raw_bytes, self.size_bytes * raw_bytes // whole, self.fee * raw_bytes // whole)


@dataclass(frozen=True, slots=True)
class DataShare:
    """A transaction's part of the batch that carries it, in the proportion of raw bytes.

    ``size_bytes`` is of the encoded batch, headers and all; ``fee`` is in the batch's ``fee_unit``, 0 while it is not
    known.
    """

    batch: PostedBatch
    raw_bytes: int
    size_bytes: int
    fee: int
