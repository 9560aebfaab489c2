"""An in-memory chain behind the RPC's ``Backend`` port: what is put in is what users see.

It executes nothing. Tests seal blocks, open one, pool transactions and set accounts; reads answer from
that, and ``publish`` sends an event to every subscriber.
"""

# ruff: noqa: ARG002 - the twin need not use everything that the port hands it
import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sequencer.channel import Broadcast, Subscription
from sequencer.core.block import Block, Header
from sequencer.core.calls import AccountView, CallRequest, CallResult
from sequencer.core.chain_spec import ChainSpec
from sequencer.core.errors import NonceGap, Rejected, SequencerError
from sequencer.core.flashblock import Preconfirmation
from sequencer.core.heads import Heads
from sequencer.core.inspection import AccountProof, SlotProof
from sequencer.core.keccak import EMPTY_HASH, EMPTY_TRIE_ROOT
from sequencer.core.plain_reads import PlainReader
from sequencer.core.ports import StateAt
from sequencer.core.simulation import SimulatedBlock, Simulation
from sequencer.core.transaction import AccessListEntry, Transaction, decode, recover
from sequencer.core.types import ZERO_HASH, Address, Hash32
from sequencer.core.views import (
    BlockSealed,
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
from sequencer.rpc.backend import PromiseCaller
from sequencer.rpc.filters import matching_logs
from sequencer.rpc.log_query import LogMatch
from sequencer.rpc.render.block import inclusions


class MemoryBackend:
    """A chain that holds what it was given. Attributes may be set at any time."""

    def __init__(self, spec: ChainSpec, genesis: Header) -> None:
        self.spec = spec
        self.genesis_hash = genesis.hash
        self.heads = Heads.at_genesis(genesis.ref)
        self.blocks: list[Block] = [Block(genesis, (), ())]
        self.open: OpenBlock | None = None
        self.pool: dict[Hash32, Transaction] = {}
        self.queued: set[Hash32] = set()
        """Which of the pool are not executable."""
        self.plain_reader: PlainReader | None = None
        self.proofs: dict[Address, AccountProof] = {}
        self.access_lists: Callable[[CallRequest], tuple[tuple[AccessListEntry, ...], CallResult]]
        self.access_lists = lambda _: ((), CallResult(b"", 21_000))
        self.simulations: list[Simulation] = []
        self.simulated: Callable[[Simulation], list[SimulatedBlock]] = lambda _: []
        self.trace = '{"gas":21000,"failed":false,"returnValue":"","structLogs":[]}'
        """What every trace is."""
        self.trace_options: list[Mapping[str, object]] = []
        self.published: list[FlashblockPublished] = []
        self.promises: dict[Hash32, Preconfirmation] = {}
        self.statuses: dict[Hash32, TransactionStatus] = {}
        self.batches: dict[int, PostedBatch] = {}
        self.account_views: dict[Address, AccountView] = {}
        self.codes: dict[Address, bytes] = {}
        self.slots: dict[tuple[Address, Hash32], Hash32] = {}
        self.admits_at_once = False
        """Whether ``submit_awaited`` takes a transaction."""
        self.persisted: set[Hash32] = set()
        """What ``persist_submitted`` found."""
        self.callers: dict[Hash32, PromiseCaller] = {}
        """Who waits since ``submit_awaited``."""
        self.called, self.forgotten = asyncio.Event(), asyncio.Event()
        """Set when the first of them comes, and when the first one is let go."""
        self.refusal: Exception | None = None
        """Raised by every ``submit``."""
        self.dropped: dict[Hash32, Rejected] = {}
        """Why waiting for these transactions is in vain."""
        self.state_error: Exception | None = None
        """Raised by every read of state."""
        self.calls: list[CallRequest] = []
        self.answer_call: Callable[[CallRequest], CallResult] = lambda _: CallResult(b"", 21_000)
        self.answer_estimate: Callable[[CallRequest], int | CallResult] = lambda _: 21_000
        self.hold: asyncio.Event | None = None
        """Calls wait until it is set."""
        self._events: Broadcast[ChainEvent] = Broadcast(10_000)

    # What tests do.

    def seal(self, block: Block) -> None:
        """Put a block on top, and tell subscribers."""
        self.blocks.append(block)
        self.heads = self.heads.sealed(block.header.ref)
        self.publish(BlockSealed(block))

    def publish(self, event: ChainEvent) -> None:
        """Tell subscribers."""
        if isinstance(event, FlashblockPublished):
            self.published.append(event)
        self._events.publish(event)

    # What the RPC asks.

    def header(self, number: int) -> Header | None:
        """A sealed block's header."""
        block = self.block(number)
        return None if block is None else block.header

    def block(self, number: int) -> Block | None:
        """A sealed block."""
        return self.blocks[number] if 0 <= number < len(self.blocks) else None

    def block_number(self, block_hash: Hash32) -> int | None:
        """The number of the sealed block with this hash."""
        return next((block.header.number for block in self.blocks if block.header.hash == block_hash), None)

    def open_block(self) -> OpenBlock | None:
        """The open block."""
        return self.open

    def inclusion(self, transaction_hash: Hash32) -> Inclusion | None:
        """Where the transaction stands."""
        return next((item for item in self._inclusions() if item.transaction.hash == transaction_hash), None)

    def pooled(self, transaction_hash: Hash32) -> Transaction | None:
        """A waiting transaction."""
        return self.pool.get(transaction_hash)

    async def submit(self, raw: bytes, *, executable_only: bool = False, until_promised: bool = False) -> Hash32:
        """Decode, recover, and keep."""
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        transaction = recover(decode(raw))
        if executable_only:
            (account,) = await self.accounts([transaction.sender], "pending")
            expected = self.next_nonce(transaction.sender, account.nonce)
            if transaction.nonce > expected:
                raise NonceGap(expected, transaction.nonce)
        self.pool[transaction.hash] = transaction
        return transaction.hash

    async def persist_submitted(self) -> None:
        """What is in the pool now."""
        self.persisted |= self.pool.keys()

    async def submit_all(self, raws: Sequence[bytes], hashes: Sequence[Hash32]) -> Sequence[SequencerError | None]:
        """One after the other."""
        answers: list[SequencerError | None] = []
        for raw in raws:
            try:
                await self.submit(raw)
                answers.append(None)
            except SequencerError as error:
                answers.append(error)
        return answers

    def submit_awaited(self, raw: bytes, transaction_hash: Hash32, caller: PromiseCaller) -> bool:
        """Keep it and its caller, if ``admits_at_once``."""
        if not self.admits_at_once:
            return False
        self.pool[transaction_hash] = recover(decode(raw))
        self.callers[transaction_hash] = caller
        self.called.set()
        return True

    def forget(self, transaction_hash: Hash32, caller: PromiseCaller) -> None:
        """Let its caller go."""
        del self.callers[transaction_hash]
        self.forgotten.set()

    async def wait_preconfirmed(self, transaction_hash: Hash32, timeout_s: float) -> Preconfirmed:
        """The promise if there is one now; otherwise it never comes."""
        await asyncio.sleep(0)
        if transaction_hash in self.dropped:
            raise self.dropped[transaction_hash]
        promise, inclusion = self.promises.get(transaction_hash), self.inclusion(transaction_hash)
        if promise is None or inclusion is None:
            raise TimeoutError
        return Preconfirmed(inclusion, promise)

    def next_nonce(self, address: Address, state_nonce: int) -> int:
        """After the sender's waiting transactions."""
        return state_nonce + sum(transaction.sender == address for transaction in self.pool.values())

    def pool_counts(self) -> tuple[int, int]:
        """All of them are pending."""
        return len(self.pool), 0

    def pool_content(self) -> list[tuple[Transaction, bool]]:
        """All of them are pending, but for those after a gap in ``queued``."""
        return [(transaction, transaction.hash not in self.queued) for transaction in self.pool.values()]

    async def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        """Absent accounts are all zero."""
        self._check_state()
        absent = AccountView(0, 0, EMPTY_HASH)
        return [self.account_views.get(address, absent) for address in addresses]

    async def code(self, address: Address, at: StateAt) -> bytes:
        """The code that was set."""
        self._check_state()
        return self.codes.get(address, b"")

    async def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]:
        """The slots that were set."""
        self._check_state()
        return [self.slots.get((address, slot), ZERO_HASH) for slot in slots]

    async def call(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> CallResult:
        """What ``answer_call`` says."""
        self._check_state()
        self.calls.append(request)
        if self.hold is not None:
            await self.hold.wait()
        return self.answer_call(request)

    async def estimate(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> int | CallResult:
        """What ``answer_estimate`` says."""
        self._check_state()
        self.calls.append(request)
        return self.answer_estimate(request)

    async def proof(self, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof:
        """The proof that was set for the account, or that of an absent one."""
        self._check_state()
        found = self.proofs.get(address)
        if found is None:
            nothing = tuple(SlotProof(slot, 0, ()) for slot in slots)
            return AccountProof(0, 0, EMPTY_TRIE_ROOT, EMPTY_HASH, (), nothing)
        return found

    async def create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]:
        """What ``access_lists`` says."""
        self._check_state()
        return self.access_lists(request)

    async def simulate(
        self, simulation: Simulation, at: StateAt, gas_cap: int, deadline_s: float
    ) -> list[SimulatedBlock]:
        """What ``simulated`` says."""
        self._check_state()
        self.simulations.append(simulation)
        return self.simulated(simulation)

    async def trace_call(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float, options: Mapping[str, object]
    ) -> str:
        """``trace``."""
        self._check_state()
        self.calls.append(request)
        self.trace_options.append(options)
        return self.trace

    async def trace_transactions(
        self,
        number: int,
        transactions: Sequence[Transaction],
        wanted: range,
        deadline_s: float,
        options: Mapping[str, object],
    ) -> list[str]:
        """``trace``, for each."""
        self._check_state()
        self.trace_options.append(options)
        return [self.trace for _ in wanted]

    async def logs(
        self,
        from_block: int,
        to_block: int,
        addresses: Sequence[Address],
        topics: Sequence[Sequence[Hash32]],
        limit: int,
    ) -> list[LogRecord]:
        """By looking at each block."""
        await asyncio.sleep(0)
        match = LogMatch(tuple(addresses), tuple(tuple(place) for place in topics))
        found = [record for block in self.blocks[from_block : to_block + 1] for record in matching_logs(block, match)]
        return found[:limit]

    def preconfirmation(self, transaction_hash: Hash32) -> Preconfirmation | None:
        """The promise that was set."""
        return self.promises.get(transaction_hash)

    def flashblocks(self, number: int) -> Sequence[FlashblockPublished]:
        """Those that were published."""
        return [event for event in self.published if event.signed.flashblock.block_number == number]

    def transaction_status(self, transaction_hash: Hash32) -> TransactionStatus | None:
        """The status that was set."""
        return self.statuses.get(transaction_hash)

    def promise_ledger(self) -> PromiseLedger:
        """Every promise is kept."""
        return PromiseLedger(len(self.promises), len(self.promises), 0, 0)

    def batch(self, sequence: int) -> PostedBatch | None:
        """The batch that was set."""
        return self.batches.get(sequence)

    def next_base_fee(self) -> int:
        """By the chain's rule."""
        head = self.blocks[-1].header
        return self.spec.fees.next_base_fee(head.base_fee_per_gas, head.gas_used, head.gas_limit)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription[ChainEvent]]:
        """Every event from now on."""
        with self._events.subscribe() as events:
            yield events

    def reset_to(self, number: int) -> tuple[Block, ...]:
        """Undo the blocks above ``number``; returns them newest first."""
        undone = tuple(reversed(self.blocks[number + 1 :]))
        del self.blocks[number + 1 :]
        head = self.blocks[-1].header.ref
        older = min(self.heads.finalized, self.heads.safe, head, key=lambda ref: ref.number)
        self.heads = Heads(head, min(self.heads.safe, head, key=lambda ref: ref.number), older)
        return undone

    def _inclusions(self) -> Iterator[Inclusion]:
        for block in self.blocks:
            yield from inclusions(block.header, block.transactions, block.outcomes)
        if self.open is not None:
            yield from inclusions(self.open.attributes, self.open.transactions, self.open.outcomes)

    def _check_state(self) -> None:
        if self.state_error is not None:
            raise self.state_error
