"""What the RPC methods need from a chain. ``ChainRuntime`` is the implementation; tests bring their own.

Methods without ``async`` answer from memory or from one short read of the block store and may be called on
the event loop. The others run in worker threads or processes.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sequencer.core.block import Block, Header
from sequencer.core.calls import AccountView, CallRequest, CallResult
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.errors import SequencerError
from sequencer.core.flashblock import Preconfirmation, SignedFlashblock
from sequencer.core.heads import Heads
from sequencer.core.inspection import AccountProof
from sequencer.core.plain_reads import PlainReader
from sequencer.core.ports import StateAt
from sequencer.core.simulation import SimulatedBlock, Simulation
from sequencer.core.transaction import AccessListEntry, Transaction
from sequencer.core.types import Address, Hash32
from sequencer.core.views import (
    ChainEvent,
    FlashblockPublished,
    Inclusion,
    LogRecord,
    OpenBlock,
    PostedBatch,
    Preconfirmed,
    PromiseLedger,
    TransactionStatus,
)


class EventStream(Protocol):
    """A subscriber's bounded view of the chain's events, in order."""

    async def next(self) -> ChainEvent:
        """The next event. Raises ``SlowSubscriber`` once events had to be left out."""
        ...


class PromiseCaller(Protocol):
    """Who waits for the promise of a transaction: see ``preconf.waiters.Caller``."""

    def expect(self, value: Preconfirmed) -> None: ...
    def confirm(self, signed: SignedFlashblock) -> bool: ...
    def resolve(self, value: Preconfirmed) -> None: ...
    def fail(self, error: SequencerError) -> None: ...


class Backend(Protocol):
    """One chain as its users see it."""

    @property
    def spec(self) -> ChainSpec: ...
    @property
    def genesis_hash(self) -> Hash32: ...
    @property
    def heads(self) -> Heads: ...

    # Blocks: sealed ones by number; None when there is none.
    def header(self, number: int) -> Header | None: ...
    def block(self, number: int) -> Block | None: ...
    def block_number(self, block_hash: Hash32) -> int | None: ...
    def open_block(self) -> OpenBlock | None: ...

    # Transactions.
    def inclusion(self, transaction_hash: Hash32) -> Inclusion | None:
        """Where a pre-confirmed or sealed transaction stands."""
        ...

    def pooled(self, transaction_hash: Hash32) -> Transaction | None:
        """A transaction that waits in the pool."""
        ...

    async def submit(self, raw: bytes, *, executable_only: bool = False, until_promised: bool = False) -> Hash32:
        """Admit a transaction to the pool. Raises ``Rejected``, ``NonceGap`` for one that would have to wait for an
        earlier nonce if ``executable_only``, or ``Temporary`` while ingress is stopped. It survives a crash when this
        returns, unless ``until_promised``: then the caller tells nobody before the transaction is promised, or
        ``persist_submitted`` returns."""
        ...

    async def persist_submitted(self) -> None:
        """Return once every transaction that was admitted before survives a crash."""
        ...

    async def submit_all(self, raws: Sequence[bytes], hashes: Sequence[Hash32]) -> Sequence[SequencerError | None]:
        """Admit transactions, whose keccak256 are ``hashes``, in order. For each the error that ``submit`` would raise,
        or None."""
        ...

    def submit_awaited(self, raw: bytes, transaction_hash: Hash32, caller: PromiseCaller) -> bool:
        """Admit a transaction, whose keccak256 is ``transaction_hash``, and let ``caller`` wait for its promise until
        ``forget``. False if that is not possible at once, whatever the reason; then nothing has changed. As with
        ``until_promised``, nobody may be told anything before it is promised."""
        ...

    def forget(self, transaction_hash: Hash32, caller: PromiseCaller) -> None:
        """It waits no more."""
        ...

    async def wait_preconfirmed(self, transaction_hash: Hash32, timeout_s: float) -> Preconfirmed:
        """Wait for the promise. Raises ``TimeoutError``, or ``Rejected`` if it was dropped meanwhile."""
        ...

    def next_nonce(self, address: Address, state_nonce: int) -> int:
        """The nonce after the sender's executable transactions in the pool, at least ``state_nonce``."""
        ...

    def pool_counts(self) -> tuple[int, int]:
        """Pending and queued transactions in the pool."""
        ...

    def pool_content(self) -> list[tuple[Transaction, bool]]:
        """Every transaction in the pool, and whether it is pending, in the order in which they came in."""
        ...

    # State.
    @property
    def plain_reader(self) -> PlainReader | None:
        """Where the engine answers plain reads itself."""
        ...

    async def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]: ...
    async def code(self, address: Address, at: StateAt) -> bytes: ...
    async def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]: ...
    async def call(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> CallResult: ...
    async def estimate(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> int | CallResult: ...

    # Looking into executions.
    async def proof(self, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof: ...
    async def create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]: ...
    async def simulate(
        self, simulation: Simulation, at: StateAt, gas_cap: int, deadline_s: float
    ) -> list[SimulatedBlock]: ...
    async def trace_call(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float, options: Mapping[str, object]
    ) -> str: ...
    async def trace_transactions(
        self,
        number: int,
        transactions: Sequence[Transaction],
        wanted: range,
        deadline_s: float,
        options: Mapping[str, object],
    ) -> list[str]: ...

    # Logs.
    async def logs(
        self,
        from_block: int,
        to_block: int,
        addresses: Sequence[Address],
        topics: Sequence[Sequence[Hash32]],
        limit: int,
    ) -> list[LogRecord]:
        """Logs of the sealed blocks ``from_block`` to ``to_block``, both included, oldest first.

        A log matches when its address is among ``addresses`` and each of its first topics among the
        alternatives at that place; an empty sequence of either matches anything. At most ``limit`` records
        come back: who needs to know whether there are more asks for one more.
        """
        ...

    # Promises and batches.
    def preconfirmation(self, transaction_hash: Hash32) -> Preconfirmation | None: ...
    def flashblocks(self, number: int) -> Sequence[FlashblockPublished]:
        """A block's flashblocks in order, as far as they are published; empty for a block that is not there.

        What is published is here before subscribers are told, with nothing in between on the event loop.
        """
        ...

    def transaction_status(self, transaction_hash: Hash32) -> TransactionStatus | None: ...
    def promise_ledger(self) -> PromiseLedger: ...
    def batch(self, sequence: int) -> PostedBatch | None: ...
    def next_base_fee(self) -> int:
        """Base fee of the open block, in wei per gas."""
        ...

    def subscribe(self) -> AbstractContextManager[EventStream]:
        """Every event from now on."""
        ...
