"""From what is on disk back to a running chain (architecture D7, protocol section 2).

The log is the truth; the block store and the engine's state follow it. After a crash each may be behind the
one before it: what the engine has too much is unwound, what is missing is executed again from the log and
compared with what was promised. A block that was open is sealed where it stands, under the new term.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import structlog

from da.batcher import Batcher
from da.blocks import BatchBlock
from da.codec import ClosedBatch
from sequencer.consensus.replay import LogFold, LoggedBlock
from sequencer.core.block import Block, Header
from sequencer.core.entries import BatchClosed, BlockSeal, Entry, Takeover
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import Flashblock
from sequencer.core.genesis import Genesis
from sequencer.core.ports import Appended, ExecutionEngine, SenderRecovery, SequenceLog
from sequencer.core.types import Hash32
from sequencer.preconf.signing import GuardedSigner
from sequencer.storage.blocks import BlockStore
from sequencer.sync.reexecution import execute_decided

log = structlog.get_logger(__name__)

CHUNK = 256
"""Log entries read in one go."""
PROGRESS_BLOCKS = 500
"""A long replay says how far it has come every so many blocks."""


@dataclass(slots=True)
class Resumed:
    """Where the chain goes on."""

    parent: Header
    parent_flashblock: Hash32
    last_timestamp_ms: int
    term: int
    seal_positions: list[tuple[int, int]] = field(default_factory=list)
    """Block number and log position of its seal, for every block that the log still has."""


class Recovery:
    """One start of one chain. ``run`` once, before any other stage."""

    def __init__(
        self,
        *,
        genesis: Genesis,
        genesis_header: Header,
        sequence_log: SequenceLog,
        store: BlockStore,
        engine: ExecutionEngine,
        recovery: SenderRecovery,
        signer: GuardedSigner,
        batcher: Batcher,
        repost: Callable[[ClosedBatch], Awaitable[None]],
        clock_ms: Callable[[], int],
    ) -> None:
        self._spec = genesis.spec
        self._genesis_header = genesis_header
        self._log = sequence_log
        self._store = store
        self._engine = engine
        self._recovery = recovery
        self._signer = signer
        self._batcher = batcher
        self._repost = repost
        self._clock_ms = clock_ms
        self._seal_positions: list[tuple[int, int]] = []
        self._replayed = 0
        self._block_term = 0

    async def run(self) -> Resumed:
        """Bring store and state to the log's end, begin a new term, seal what was open."""
        if self._store.head() is None:
            await self._store.put(Block(self._genesis_header, (), ()), ())
        await asyncio.to_thread(self._align_engine)
        known = self._genesis_header.hash if self._log.first_position == 0 else None
        fold = LogFold(last_flashblock_hash=known)
        entries = self._log.read(self._log.first_position)
        while chunk := await asyncio.to_thread(_take, entries):
            for position, entry in chunk:
                await self._follow(fold, position, entry)
        term = max(fold.term, self._log.term, self._block_term, self._signer.state.term) + 1
        await self._append(Takeover(fold.epoch, term), term)
        if fold.open_block is not None:
            await self._seal_open(fold.open_block, term)
        if self._replayed:
            log.info("replayed from the sequence log", blocks=self._replayed)
        return self._resumed(fold, term)

    def _align_engine(self) -> None:
        """The engine may be ahead of the store by what a crash interrupted."""
        head = self._store.head()
        assert head is not None  # noqa: S101 - run() stored the genesis block
        if self._engine.height() > head.number:
            log.warning("unwinding state", from_block=self._engine.height(), to_block=head.number)
            self._engine.unwind(head.number)

    async def _follow(self, fold: LogFold, position: int, entry: Entry) -> None:
        block = fold.feed(position, entry)
        if block is not None:
            await self._replay(block)
        elif isinstance(entry, BatchClosed):
            await self._follow_batch(entry, fold.epoch, max(fold.term, self._block_term))

    async def _follow_batch(self, closed: BatchClosed, epoch: int, term: int) -> None:
        """Make a batch again that the log decided on and the outbox does not have."""
        if closed.sequence > self._batcher.tip.sequence:
            batch = self._batcher.cut_exactly(closed, epoch, term)
            self._batcher.advance(batch.header)
            await self._repost(batch)

    async def _replay(self, logged: LoggedBlock) -> None:
        number, seal = logged.attributes.number, logged.seal
        assert seal is not None  # noqa: S101 - the fold completes a block with its seal
        self._block_term = logged.attributes.term
        self._seal_positions.append((number, logged.last_log_position))
        if number > self._engine.height():
            block = await asyncio.to_thread(self._execute, logged)
            if block.header.hash != seal.hash:
                raise Fatal(f"block {number} re-executes to 0x{block.header.hash.hex()}, the log has {seal.hash.hex()}")
            await self._store_block(logged, block)
        self._batch(logged, seal)

    async def _seal_open(self, logged: LoggedBlock, term: int) -> None:
        """Adopt the open block: what the log has of it stands, and nothing is added."""
        block = await asyncio.to_thread(self._execute, logged)
        header = block.header
        seal = BlockSeal(header.number, header.hash, header.state_root)
        position = await self._append(seal, term)
        self._seal_positions.append((header.number, position))
        await self._store_block(logged, block)
        self._batch(logged, seal)

    def _execute(self, logged: LoggedBlock) -> Block:
        number = logged.attributes.number
        if number != self._engine.height() + 1:
            raise Fatal(
                f"the state ends with block {self._engine.height()} and the log begins with block {number}: "
                "derive the chain from DA into a new data directory"
            )
        return execute_decided(
            self._engine,
            self._recovery,
            self._spec.chain_id,
            self._spec.fork_at(logged.attributes.timestamp),
            logged.attributes,
            [(entry.transactions, entry.outcome_hashes) for entry in logged.flashblocks],
        )

    async def _store_block(self, logged: LoggedBlock, block: Block) -> None:
        number = block.header.number
        stored = self._store.header(number)
        if stored is None:
            signed = await asyncio.to_thread(self._signer.sign, [entry.flashblock for entry in logged.flashblocks])
            await self._store.put(block, signed)
        elif stored.hash != block.header.hash:
            raise Fatal(f"block {number} is stored as 0x{stored.hash.hex()}, the log has 0x{block.header.hash.hex()}")
        await asyncio.to_thread(self._engine.commit, number)
        self._replayed += 1
        if self._replayed % PROGRESS_BLOCKS == 0:
            log.info("replaying the sequence log", block=number)

    def _batch(self, logged: LoggedBlock, seal: BlockSeal) -> None:
        if logged.attributes.number > self._batcher.tip.last_block:
            block = BatchBlock(logged.attributes, logged.flashblocks, seal.hash, seal.state_root)
            self._batcher.add(block, self._clock_ms())

    async def _append(self, entry: Entry, term: int) -> int:
        position = self._log.next_position
        result = await self._log.append([entry], position, term)
        if not isinstance(result, Appended):
            raise Fatal(f"the log did not take position {position}: {result.reason}")
        return position

    def _resumed(self, fold: LogFold, term: int) -> Resumed:
        head = self._store.head()
        parent = self._store.header(head.number) if head else None
        if parent is None:
            raise Fatal("the block store lost its head")
        last = fold.last_flashblock or self._last_stored_flashblock(parent.number)
        return Resumed(
            parent=parent,
            parent_flashblock=last.struct_hash if last else self._genesis_header.hash,
            last_timestamp_ms=last.timestamp_ms if last else 0,
            term=term,
            seal_positions=self._seal_positions,
        )

    def _last_stored_flashblock(self, number: int) -> Flashblock | None:
        """For a log that was shortened to where it holds no flashblock any more."""
        for at in range(number, 0, -1):
            if flashblocks := self._store.flashblocks(at):
                return flashblocks[-1].flashblock
        return None


def _take(entries: Iterator[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
    return list(islice(entries, CHUNK))
