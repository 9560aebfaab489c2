"""The ports: what the core of the node asks of the parts around it, written as obligations.

A part that keeps the obligations may replace any other; each port has a conformance suite under
``tests/`` that every implementation passes. Blocking methods are called from worker threads, never from
the event loop; ``async`` ones never block it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, TypeAlias

from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.calls import AccountView, CallRequest, CallResult
from sequencer.core.entries import Entry
from sequencer.core.errors import Rejected
from sequencer.core.genesis import Genesis
from sequencer.core.receipt import Outcome
from sequencer.core.transaction import PooledTransaction, Transaction
from sequencer.core.types import Address, Hash32, Signature

# ---------------------------------------------------------------------------------------------- ordering


@dataclass(frozen=True, slots=True)
class Budget:
    """What still fits into the open flashblock. Gas in gas, size in bytes of raw transactions."""

    gas: int
    size_bytes: int
    count: int


class ReadyTransactions(Protocol):
    """The executable transactions of the pool, as a policy may see them: one a sender at a time."""

    @property
    def base_fee_wei(self) -> int:
        """Of the open block, per gas."""
        ...

    def heads(self) -> Iterator[PooledTransaction]:
        """Each sender's next transaction, earliest arrival first, made as the iterator advances."""
        ...

    def after(self, taken: PooledTransaction) -> PooledTransaction | None:
        """The same sender's next executable transaction once ``taken`` is taken."""
        ...


class OrderingPolicy(Protocol):
    """Chooses and orders. Pure: the pick is a function of the arguments and the parameters alone."""

    @property
    def policy_id(self) -> Hash32:
        """``OrderingRule.policy_id`` of the name and parameters this object was made with."""
        ...

    def pick(self, ready: ReadyTransactions, budget: Budget, now_ms: int) -> list[PooledTransaction]:
        """Transactions in order, within ``budget``; a sender's n-th only after its (n-1)-th."""
        ...


# --------------------------------------------------------------------------------------------- execution

StateAt: TypeAlias = int | Literal["pending"]
"""A sealed block's number, or the open block as far as it has been executed."""


class ExecutionEngine(Protocol):
    """Executes one chain. One caller at a time drives the open block; reads may come from any thread.

    Life of a block: ``begin``, ``apply`` again and again, ``seal``, then ``commit`` once the block is
    stored. ``seal`` makes the block readable by number at once and the next ``begin`` may follow; what was
    sealed but not committed is lost with the process and comes back by replaying the log.
    """

    @property
    def name(self) -> str:
        """``native`` or ``reference``."""
        ...

    @property
    def forks(self) -> tuple[str, ...]:
        """The forks whose rules this engine runs, found by probing, not by belief."""
        ...

    def open(self, genesis: Genesis) -> Header:
        """Create the state of block 0, or find it on disk. Returns block 0's header. Raises ``Fatal`` if the
        state on disk belongs to another genesis."""
        ...

    def height(self) -> int:
        """The newest committed block, which a restart will find."""
        ...

    def begin(self, attributes: PayloadAttributes) -> None:
        """Open the block after the newest sealed one, and run the system calls that stand before its
        transactions (EIP-4788, EIP-2935). ``attributes.parent_hash`` must be that block's hash."""
        ...

    def apply(self, transactions: Sequence[Transaction]) -> list[Outcome | Rejected]:
        """Execute in order; one answer each. A transaction that fails validation, or does not fit into the
        block's gas (``GAS_LIMIT_REACHED``), is ``Rejected`` and leaves no trace of itself."""
        ...

    def mark(self) -> int:
        """A name for this point inside the open block."""
        ...

    def rewind(self, mark: int) -> None:
        """Undo everything since ``mark``; marks taken after it are void."""
        ...

    def seal(self) -> Block:
        """Close the block: credit the base fees to the fee vault, compute roots, and return it."""
        ...

    def cancel(self) -> None:
        """Forget the open block."""
        ...

    def commit(self, number: int) -> None:
        """Make sealed blocks up to ``number`` durable, state and height in one atomic write."""
        ...

    def sync(self) -> None:
        """Make everything committed so far survive power loss. Slow and rare: once before log segments go."""
        ...

    def unwind(self, to: int) -> None:
        """Go back to the state after block ``to``, dropping every block above and the open one. At least the
        last 256 blocks can be undone; further back raises ``Fatal``."""
        ...

    def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        """The accounts in the order asked for. Raises ``Temporary`` for a state that is not kept."""
        ...

    def code(self, address: Address, at: StateAt) -> bytes:
        """The account's code, empty without any."""
        ...

    def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]:
        """The values of storage slots, in the order asked for."""
        ...

    def call(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> CallResult:
        """Execute without keeping anything. Raises ``Rejected`` (funds, fees, intrinsic gas) as geth's
        ``eth_call``, ``DeadlineExceeded`` when ``deadline_s`` seconds are over, which really stops it."""
        ...

    def estimate(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> "int | CallResult":
        """The least gas limit with which the call succeeds, or the failing result at the highest one."""
        ...

    def close(self) -> None:
        """Release everything; the object is of no use afterwards."""
        ...


class SenderRecovery(Protocol):
    """Turns raw transactions into recovered ones, many at a time, without the GIL where it can.

    Cheap checks come first: a transaction that breaks ``rules`` is refused before its signature is looked at.
    """

    @property
    def inline_count(self) -> int:
        """Up to how many it recovers in less time than the event loop can spare: some milliseconds on one core."""
        ...

    def recover(self, raws: Sequence[bytes], rules: "EntryRules") -> list["Transaction | Rejected"]:
        """One answer for each of ``raws``, in order."""
        ...


@dataclass(frozen=True, slots=True)
class EntryRules:
    """What a transaction must keep regardless of any account's state. Fees in wei per gas."""

    chain_id: int
    fork: str
    gas_limit: int
    """Of a block: no transaction may ask for more."""
    minimum_fee_per_gas: int
    minimum_tip_per_gas: int
    size_limit_bytes: int = 128 * 1024


class FlashblockCodec(Protocol):
    """The hashes and bytes of whole flashblocks, each made in one go. Pure; every implementation gives the same."""

    def roots(
        self, first_position: int, transaction_hashes: Sequence[Hash32], outcome_hashes: Sequence[Hash32]
    ) -> tuple[Hash32, Hash32]:
        """``orderRoot`` and ``outcomesRoot`` of consecutive transactions."""
        ...

    def tree(self, first_position: int, hashes: Sequence[Hash32]) -> list[list[Hash32]]:
        """Every level of the tree under one of the roots, leaves first: what branches are cut from."""
        ...

    def encode(self, entry: Entry) -> bytes:
        """The log's bytes of any entry (``core.entries``)."""
        ...


# ------------------------------------------------------------------------------------------ sequence log


@dataclass(frozen=True, slots=True)
class Appended:
    """Durable at this position, by this call or an equal one before it."""

    position: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Not appended and never will be: another entry stands there, or the fence is of an older term."""

    reason: str


@dataclass(frozen=True, slots=True)
class AppendUnknown:
    """It may or may not be there: read that position before anything else, or give up the term."""

    reason: str


AppendResult: TypeAlias = Appended | Refused | AppendUnknown


class SequenceLog(Protocol):
    """The durable order of decisions. Position 0 is the first entry; nothing appended is ever rewound."""

    @property
    def next_position(self) -> int:
        """One past the newest durable entry."""
        ...

    @property
    def first_position(self) -> int:
        """The oldest entry still kept."""
        ...

    @property
    def term(self) -> int:
        """The highest term in the log; appends with an older fence are refused."""
        ...

    async def append(
        self, entries: Sequence[Entry], position: int, fence: int, durable: Callable[[], None] | None = None
    ) -> AppendResult:
        """Append ``entries`` from ``position`` on and return when all of them are durable (one sync).

        ``durable`` is called once they are, in whichever thread knows it first, unless the append fails, and has
        returned when this does: what follows need not wait for the event loop. It must be short and must not raise.

        Idempotent by position and entry bytes. Raises ``Temporary`` when nothing was written and it may be
        tried again (no space left), ``Fatal`` when a sync failed: what is on disk is then unknown.
        """
        ...

    def read(self, position: int) -> Iterator[tuple[int, Entry]]:
        """Every durable entry from ``position`` on, in order. Blocking."""
        ...

    def retain(self, position: int) -> None:
        """Entries before ``position`` are no longer needed; whole segments below it may go. Blocking."""
        ...


# ------------------------------------------------------------------------------------- data availability


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Where a blob stands on a DA layer: enough to look for it again after a restart."""

    layer: str
    height: int
    commitment: bytes


class BlobStatus(Enum):
    """How final a blob is on its layer."""

    MISSING = "missing"
    INCLUDED = "included"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class DaLimits:
    """What one blob of the layer may hold."""

    blob_size_bytes: int


class DataAvailability(Protocol):
    """A place where bytes become public. A timeout means unknown, never failed: look before sending again."""

    @property
    def layer(self) -> str:
        """Its name in references and metrics."""
        ...

    def limits(self) -> DaLimits:
        """The layer's own limits."""
        ...

    def commitment(self, blob: bytes) -> bytes:
        """The layer's commitment to ``blob``, computed here."""
        ...

    async def submit(self, blobs: Sequence[bytes]) -> list[BlobRef]:
        """Publish. Raises ``Temporary`` if certainly nothing was published, ``Unknown`` if something may have
        been, ``Rejected`` if the layer will never take it."""
        ...

    async def find(self, commitments: Sequence[bytes], from_height: int) -> list[BlobRef | None]:
        """Where blobs with these commitments stand at or above ``from_height``, if anywhere."""
        ...

    async def status(self, ref: BlobRef) -> BlobStatus:
        """How final the blob is now."""
        ...

    async def fetch(self, ref: BlobRef) -> bytes:
        """The blob's bytes. Raises ``Temporary`` if the layer does not answer."""
        ...

    async def head(self) -> int:
        """The layer's newest height."""
        ...

    def blobs(self, from_height: int) -> AsyncIterator[tuple[BlobRef, bytes]]:
        """Every blob of our namespace from ``from_height`` on, in the layer's order, foreign ones too."""
        ...


# ------------------------------------------------------------------------------------- keys and storage


class Signer(Protocol):
    """Holds one key and signs digests; it never sees what they mean. Callers check the guard first."""

    @property
    def address(self) -> Address:
        """The address whose key this is."""
        ...

    def sign(self, digest: Hash32) -> Signature:
        """The deterministic signature of ``digest``. Blocking; raises ``Temporary`` if the signer is away."""
        ...


class Storage(Protocol):
    """Ordered bytes to bytes. A batch happens whole or not at all; nothing here is durable against power loss
    until the next ``flush``, because durability is the log's business."""

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        ...

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < stop`` in key order, or from the end."""
        ...

    def write(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes] = ()) -> None:
        """All of it, atomically. Raises ``Temporary`` when the disk is full."""
        ...

    def flush(self) -> None:
        """Make everything written so far survive power loss. Slow and blocking: never on the event loop."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...
