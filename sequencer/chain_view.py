"""One chain as its users see it: the answers behind JSON-RPC, made from the live blocks, the store and the pool.

Short answers come from memory or the block store on the event loop; whatever executes code or walks the
state runs in read threads, which the engine serves side by side with the builder.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from itertools import islice
from typing import TypeVar, cast

from mempool.service import Mempool
from sequencer.channel import Broadcast, Subscription
from sequencer.core.block import Block, Header
from sequencer.core.calls import AccountView, CallRequest, CallResult
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Fatal, Rejected, SequencerError
from sequencer.core.flashblock import Preconfirmation, SignedFlashblock
from sequencer.core.heads import Heads
from sequencer.core.inspection import AccountProof, Inspection
from sequencer.core.plain_reads import PlainReader
from sequencer.core.ports import ExecutionEngine, FlashblockCodec, StateAt
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
    Status,
    TransactionStatus,
)
from sequencer.live import LiveBlocks
from sequencer.ordering_desk import OrderingDesk
from sequencer.preconf.commitment import Commitment
from sequencer.preconf.waiters import Caller, Waiters
from sequencer.status import StatusBook
from sequencer.storage.blocks import BlockStore
from sequencer.storage.cache import LruCache
from sequencer.storage.logs import FoundLog, LogIndex
from sequencer.storage.rows import StoredBlock

LOG_BLOCKS_AT_ONCE = 1_024
"""Blocks that one step of a log search looks at."""
LOGS_BEFORE_A_PAUSE = 32
"""Logs found before the search lets others run: half a millisecond."""
PAUSE_S = 0.0001
"""Long enough for a waiting thread to wake up."""
COMMITMENTS_CACHED = 64
"""Flashblocks of stored blocks whose trees are kept."""
_T = TypeVar("_T")


class ChainView:
    """Implements ``rpc.backend.Backend`` over the parts of one chain."""

    def __init__(
        self,
        *,
        spec: ChainSpec,
        genesis_hash: Hash32,
        domain: Domain,
        codec: FlashblockCodec,
        heads: Callable[[], Heads],
        live: LiveBlocks,
        store: BlockStore,
        log_index: LogIndex,
        pool: Mempool,
        engine: ExecutionEngine,
        read_threads: Executor,
        events: Broadcast[ChainEvent],
        waiters: Waiters[Preconfirmed],
        statuses: StatusBook,
        batch: Callable[[int], PostedBatch | None],
        batch_of: Callable[[int], PostedBatch | None],
        next_base_fee: Callable[[], int],
        ordering: OrderingDesk,
        broken: Callable[[], int],
    ) -> None:
        self.spec = spec
        self.genesis_hash = genesis_hash
        self._domain = domain
        self._codec = codec
        self._heads = heads
        self._live = live
        self._store = store
        self._log_index = log_index
        self._pool = pool
        self._engine = engine
        self._inspection = cast("Inspection", engine)  # which every engine that a node runs offers
        self.plain_reader = engine if isinstance(engine, PlainReader) else None
        self._read_threads = read_threads
        self._events = events
        self._waiters = waiters
        self._broken = broken
        self._statuses = statuses
        self._batch = batch
        self._batch_of = batch_of
        self._next_base_fee = next_base_fee
        self.ordering = ordering
        self._commitments: LruCache[Hash32, Commitment] = LruCache(COMMITMENTS_CACHED)

    # ------------------------------------------------------------------------------------------ blocks

    @property
    def heads(self) -> Heads:
        """Unsafe, safe and finalized."""
        return self._heads()

    def header(self, number: int) -> Header | None:
        """A stored block's header."""
        return self._store.header(number)

    def block(self, number: int) -> Block | None:
        """A stored block."""
        return self._store.block(number)

    def block_number(self, block_hash: Hash32) -> int | None:
        """The number of a stored block."""
        return self._store.block_number(block_hash)

    def open_block(self) -> OpenBlock | None:
        """The open block as far as it is pre-confirmed."""
        return self._live.open_block()

    def next_base_fee(self) -> int:
        """Of the open block, in wei per gas."""
        return self._next_base_fee()

    # ------------------------------------------------------------------------------------ transactions

    def inclusion(self, transaction_hash: Hash32) -> Inclusion | None:
        """From pre-confirmation on."""
        return self._live.inclusion(transaction_hash) or self._store.inclusion(transaction_hash)

    def pooled(self, transaction_hash: Hash32) -> Transaction | None:
        """While it waits."""
        pooled = self._pool.get(transaction_hash)
        return pooled.transaction if pooled else None

    async def submit(self, raw: bytes, *, executable_only: bool = False, until_promised: bool = False) -> Hash32:
        """Into the pool."""
        pooled = await self._pool.submit(raw, executable_only=executable_only, until_promised=until_promised)
        return pooled.transaction.hash

    async def persist_submitted(self) -> None:
        """By the pool's journal."""
        await self._pool.flush_journal()

    async def submit_all(self, raws: Sequence[bytes], hashes: Sequence[Hash32]) -> Sequence[SequencerError | None]:
        """Into the pool, all of them."""
        answers = await self._pool.submit_all(raws, hashes)
        return [answer if isinstance(answer, SequencerError) else None for answer in answers]

    def submit_awaited(self, raw: bytes, transaction_hash: Hash32, caller: Caller[Preconfirmed]) -> bool:
        """Into the pool and the book of those who wait, or neither."""
        if self._waiters.full or not self._pool.submit_now(raw, transaction_hash):
            return False
        self._waiters.enter(transaction_hash, caller)
        return True

    def forget(self, transaction_hash: Hash32, caller: Caller[Preconfirmed]) -> None:
        """Out of that book."""
        self._waiters.leave(transaction_hash, caller)

    async def wait_preconfirmed(self, transaction_hash: Hash32, timeout_s: float) -> Preconfirmed:
        """The promise, at once if it was made before."""
        pooled = self._pool.get(transaction_hash) is not None  # then at most pre-confirmed, which needs no store
        inclusion = self._live.inclusion(transaction_hash) if pooled else self.inclusion(transaction_hash)
        if inclusion:
            promise = self.preconfirmation(transaction_hash)
            if promise is not None:
                return Preconfirmed(inclusion, promise)
        if not pooled and (reason := self._pool.dropped(transaction_hash)):
            raise Rejected(reason)
        return await self._waiters.wait(transaction_hash, timeout_s)

    def next_nonce(self, address: Address, state_nonce: int) -> int:
        """Counts the sender's executable transactions."""
        return self._pool.next_nonce(address, state_nonce)

    def pool_counts(self) -> tuple[int, int]:
        """Pending and queued."""
        return self._pool.counts()

    def pool_content(self) -> list[tuple[Transaction, bool]]:
        """Everything that waits, and whether it is pending."""
        pool = self._pool.pool
        return [(pooled.transaction, pool.is_pending(pooled)) for pooled in pool.contents()]

    # ------------------------------------------------------------------------------------------- state

    async def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        """Accounts at a state."""
        return await self._read(self._engine.accounts, addresses, at)

    async def code(self, address: Address, at: StateAt) -> bytes:
        """An account's code."""
        return await self._read(self._engine.code, address, at)

    async def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]:
        """Storage values."""
        return await self._read(self._engine.storage, address, slots, at)

    async def call(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> CallResult:
        """``eth_call``."""
        return await self._read(self._engine.call, request, at, gas_cap, deadline_s)

    async def estimate(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> int | CallResult:
        """``eth_estimateGas``."""
        return await self._read(self._engine.estimate, request, at, gas_cap, deadline_s)

    async def proof(self, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof:
        """``eth_getProof``."""
        return await self._read(self._inspection.proof, address, slots, number)

    async def create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]:
        """``eth_createAccessList``."""
        return await self._read(self._inspection.create_access_list, request, at, gas_cap, deadline_s)

    async def simulate(
        self, simulation: Simulation, at: StateAt, gas_cap: int, deadline_s: float
    ) -> list[SimulatedBlock]:
        """``eth_simulateV1``."""
        return await self._read(self._inspection.simulate, simulation, at, gas_cap, deadline_s)

    async def trace_call(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float, options: Mapping[str, object]
    ) -> str:
        """``debug_traceCall``."""
        return await self._read(self._inspection.trace_call, request, at, gas_cap, deadline_s, options)

    async def trace_transactions(
        self,
        number: int,
        transactions: Sequence[Transaction],
        wanted: range,
        deadline_s: float,
        options: Mapping[str, object],
    ) -> list[str]:
        """``debug_traceTransaction`` and its kin."""
        trace = self._inspection.trace_transactions
        return await self._read(trace, number, transactions, wanted, deadline_s, options)

    async def logs(
        self,
        from_block: int,
        to_block: int,
        addresses: Sequence[Address],
        topics: Sequence[Sequence[Hash32]],
        limit: int,
    ) -> list[LogRecord]:
        """Logs of stored blocks that match, at most ``limit``; some blocks at a time, so that it can be given up."""

        def search(first: int, last: int, room: int) -> list[LogRecord]:
            found = self._log_index.logs(first, last, addresses, topics)
            return list(map(_log_record, _giving_way(islice(found, room))))

        records: list[LogRecord] = []
        for first in range(from_block, to_block + 1, LOG_BLOCKS_AT_ONCE):
            last = min(first + LOG_BLOCKS_AT_ONCE - 1, to_block)
            records += await self._read(search, first, last, limit - len(records))
            if len(records) >= limit:
                break
        return records

    def _read(self, work: Callable[..., _T], *arguments: object) -> Awaitable[_T]:
        return asyncio.get_running_loop().run_in_executor(self._read_threads, work, *arguments)

    # ---------------------------------------------------------------------------- promises and batches

    def preconfirmation(self, transaction_hash: Hash32) -> Preconfirmation | None:
        """The proof that the node gave or would give."""
        if found := self._live.preconfirmation(transaction_hash):
            return found
        inclusion = self._store.inclusion(transaction_hash)
        if inclusion is None:
            return None
        number, position = inclusion.block.number, inclusion.position
        for signed in self._store.flashblocks(number):
            flashblock = signed.flashblock
            first, after = flashblock.first_position, flashblock.first_position + flashblock.transaction_count
            if first <= position < after:
                return self._commitment(signed, number, range(first, after)).preconfirmation(position)
        return None

    def flashblocks(self, number: int) -> Sequence[FlashblockPublished]:
        """The flashblocks of a block, in order, as far as they are published."""
        live = self._live.blocks.get(number)
        if live is not None:
            return tuple(live.published)
        stored = self._store.stored(number)
        if stored is None:
            return ()
        found = []
        for signed in self._store.flashblocks(number):
            first, count = signed.flashblock.first_position, signed.flashblock.transaction_count
            inclusions = tuple(_inclusion(stored, position) for position in range(first, first + count))
            found.append(FlashblockPublished(signed, inclusions))
        return found

    def _commitment(self, signed: SignedFlashblock, number: int, positions: range) -> Commitment:
        """Kept for a while: whoever asks for one proof of a flashblock often asks for its neighbours next."""
        struct_hash = signed.flashblock.struct_hash
        commitment = self._commitments.get(struct_hash)
        if commitment is None:
            commitment = self._make_commitment(signed, number, positions)
            self._commitments.put(struct_hash, commitment)
        return commitment

    def _make_commitment(self, signed: SignedFlashblock, number: int, positions: range) -> Commitment:
        stored = self._store.stored(number)
        if stored is None:
            raise Fatal(f"the block store lost block {number}")
        hashes = [stored.transaction_hash(position) for position in positions]
        outcome_hashes = [stored.outcome(position).outcome_hash for position in positions]
        return Commitment(self._domain, self._codec, signed, hashes, outcome_hashes)

    def transaction_status(self, transaction_hash: Hash32) -> TransactionStatus | None:
        """How far it has come; None if this node never heard of it."""
        inclusion, arrival = self.inclusion(transaction_hash), self._pool.arrival(transaction_hash)
        times = self._statuses.times(
            transaction_hash,
            (inclusion.block.number, inclusion.position) if inclusion else None,
            arrival.received_ms if arrival else None,
        )
        if inclusion:
            posted = self._batch_of(inclusion.block.number) if inclusion.sealed else None
            share = posted.share(len(inclusion.transaction.raw)) if posted and posted.height is not None else None
            return TransactionStatus(self._block_status(inclusion), times, share=share)
        if self._pool.get(transaction_hash):
            pending = self._pool.is_pending(transaction_hash)
            return TransactionStatus(Status.RECEIVED if pending else Status.QUEUED, times)
        if reason := self._pool.dropped(transaction_hash):
            return TransactionStatus(Status.DROPPED, times, reason.value)
        return None

    def _block_status(self, inclusion: Inclusion) -> Status:
        number, heads = inclusion.block.number, self.heads
        if number <= heads.finalized.number:
            return Status.FINALIZED
        if number <= heads.safe.number:
            return Status.SAFE
        if Status.POSTED in self._statuses.blocks.of(number):
            return Status.POSTED
        return Status.SEALED if inclusion.sealed else Status.PRECONFIRMED

    def promise_ledger(self) -> PromiseLedger:
        """Issued: every pre-confirmed transaction; kept: those whose block is derivable from DA; broken: those of which
        evidence shows that they are on no chain of ours, and slashed none before a contract has taken it."""
        heads = self.heads
        live = sum(len(block.positions) for block in self._live.blocks.values())
        stored = self._store.transactions_up_to(heads.unsafe.number)
        return PromiseLedger(
            issued=stored + live,
            kept=self._store.transactions_up_to(heads.safe.number),
            broken=self._broken(),
            slashed=0,
        )

    def batch(self, sequence: int) -> PostedBatch | None:
        """A closed batch and where it stands."""
        return self._batch(sequence)

    def subscribe(self) -> AbstractContextManager[Subscription[ChainEvent]]:
        """Every event from now on."""
        return self._events.subscribe()


def _inclusion(stored: StoredBlock, position: int) -> Inclusion:
    outcome = stored.outcome(position)
    return Inclusion(stored.header, position, outcome.first_log_index, stored.transaction(position), outcome)


def _giving_way(found: Iterable[FoundLog]) -> Iterator[FoundLog]:
    """The same, letting go of the interpreter's lock now and then: else the event loop waits for Python's own turn,
    five milliseconds, each time that it has something to do."""
    for count, log in enumerate(found, 1):
        yield log
        if count % LOGS_BEFORE_A_PAUSE == 0:
            time.sleep(PAUSE_S)


def _log_record(found: FoundLog) -> LogRecord:
    header = found.header
    return LogRecord(
        found.log,
        header.number,
        header.hash,
        header.timestamp,
        found.transaction_hash,
        found.position,
        found.log_index,
    )
