"""Executes every sealed block once more before it may be published (protocol, section 5).

The second engine has a state of its own on disk and shares neither cache nor open block with the first. It follows
the chain in a thread of its own and may lag: nobody waits for it but whoever closes batches. After a crash it goes on
from its own height with the blocks of the store, and from genesis if its state was lost.

Once a block differs, nothing after it is verified: ``reached`` never returns for it, so no batch ever holds it.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Protocol, TypeVar

import structlog

from sequencer.core import merkle
from sequencer.core.block import Block
from sequencer.core.encoding import data
from sequencer.core.errors import Fatal, Temporary
from sequencer.core.flashblock import SignedFlashblock, outcome_leaves
from sequencer.core.genesis import Genesis
from sequencer.core.ports import ExecutionEngine
from sequencer.core.types import Hash32
from sequencer.verification.comparison import Answer, Difference, compare
from sequencer.verification.metrics import VerificationMetrics
from sequencer.verification.reexecution import Executed, Witness
from sequencer.verification.state import first_state_difference

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

COMMIT_BLOCKS: Final = 8
"""Blocks that are committed together: many are cheaper than one by one, and a crash costs no more than these."""
COMMIT_TRANSACTIONS: Final = 20_000
"""Fewer blocks are enough if they have so many: what they changed stays in memory until then."""
RECENT_TRANSACTIONS: Final = 100_000
"""Of blocks that wait, as they came from the builder; those beyond are read from the store when their turn comes."""
RETRY_S: Final = 0.5
"""Pause before a write that found no space is tried again."""
PROMISED: Final = "promised"
FRESH: Final = "verified"
"""The names of log and second engine in a difference."""


class Blocks(Protocol):
    """The sealed blocks, as far as they are stored. Called from a worker thread."""

    def block(self, number: int) -> Block | None: ...
    def flashblocks(self, number: int) -> Sequence[SignedFlashblock]: ...


@dataclass(frozen=True, slots=True)
class _Turn:
    """The block to execute next, and what was promised of it; ``recovered`` if it came from the builder, with its
    senders."""

    block: Block
    promised: Sequence[Hash32]
    recovered: bool


class Verifier:
    """One chain's. ``chain_engine`` is the first engine, asked only what it says where the two differ."""

    def __init__(
        self,
        *,
        genesis: Genesis,
        witness: Witness,
        chain_engine: ExecutionEngine,
        blocks: Blocks,
        thread: Executor,
        metrics: VerificationMetrics,
        on_difference: Callable[[Difference], None],
    ) -> None:
        self._genesis = genesis
        self._witness = witness
        self._chain_engine = chain_engine
        self._blocks = blocks
        self._thread = thread
        self._metrics = metrics
        self._on_difference = on_difference
        self._head = 0
        self._height = 0
        self._recent: dict[int, _Turn] = {}
        self._recent_transactions = 0
        self._uncommitted = 0
        self._work = asyncio.Event()
        self._moved = asyncio.Condition()

    def start(self, head: int) -> None:
        """Say which block is the newest stored one. Once, before ``run``."""
        self._head = head
        self._work.set()

    def sealed(self, block: Block, promised: Sequence[Hash32]) -> None:
        """The next block is stored: verify it in its turn. ``promised`` are the outcome hashes in the log."""
        self._head = block.header.number
        if self._recent_transactions + len(block.transactions) <= RECENT_TRANSACTIONS:
            self._recent[self._head] = _Turn(block, promised, recovered=True)
            self._recent_transactions += len(block.transactions)
        self._metrics.waiting.set(self._head - self._height)
        self._work.set()

    async def reached(self, number: int) -> None:
        """Until block ``number`` and all before it are verified: for ever, once one of them differs."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._height >= number)

    async def run(self) -> None:
        """Serve for ever. Raises ``Fatal`` when the second engine cannot go on."""
        await self._work.wait()
        await self._advance(await self._in_thread(self._open, self._head))
        while True:
            turn = await self._next()
            started = perf_counter()
            difference = await self._in_thread(self._verify, turn)
            if difference is not None:
                break
            self._metrics.seconds.observe(perf_counter() - started)
            self._uncommitted += len(turn.block.transactions)
            await self._commit_some(turn.block.header.number)
            await self._advance(turn.block.header.number)
        self._metrics.differences.inc()
        log.critical("a block executes differently", block=difference.block, difference=str(difference))
        self._on_difference(difference)
        await asyncio.Event().wait()

    async def _next(self) -> _Turn:
        number = self._height + 1
        while number > self._head:
            self._work.clear()
            await self._work.wait()
        recent = self._recent.pop(number, None)
        if recent is not None:
            self._recent_transactions -= len(recent.block.transactions)
            return recent
        return await self._in_thread(self._read, number)

    async def _advance(self, height: int) -> None:
        async with self._moved:
            self._height = height
            self._moved.notify_all()
        self._metrics.height.set(height)
        self._metrics.waiting.set(self._head - height)

    async def _commit_some(self, number: int) -> None:
        """Let the state on disk follow, however long the disk is full: what is missing is only executed again."""
        if number % COMMIT_BLOCKS and self._uncommitted < COMMIT_TRANSACTIONS:
            return
        while True:
            try:
                await self._in_thread(self._witness.engine.commit, number)
            except Temporary as error:
                log.warning("the verified state waits for disk space", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                self._uncommitted = 0
                return

    # ------------------------------------------------------------------------------------- in the thread

    def _open(self, head: int) -> int:
        """The height to go on from: never above the chain's own, which a reset may have moved back."""
        engine = self._witness.engine
        engine.open(self._genesis)
        if engine.height() > head:
            log.warning("unwinding the verified state", from_block=engine.height(), to_block=head)
            engine.unwind(head)
        if engine.height() < head:
            log.info("verifying stored blocks", from_block=engine.height() + 1, to_block=head)
        return engine.height()

    def _read(self, number: int) -> _Turn:
        stored = self._blocks.block(number)
        if stored is None:
            raise Fatal(f"the block store has no block {number}")
        return _Turn(stored, [outcome.outcome_hash for outcome in stored.outcomes], recovered=False)

    def _verify(self, turn: _Turn) -> Difference | None:
        executed = self._witness.execute(
            self._genesis.spec, turn.block, recovered=turn.recovered, lacking=self._lacking
        )
        if not executed.equals(turn.block.header, turn.promised):
            return self._name(turn, executed)
        return None if turn.recovered else self._compare_signed(turn)

    def _lacking(self) -> int:
        return self._head - self._height

    def _compare_signed(self, turn: _Turn) -> Difference | None:
        """A stored block has lost the list of what was promised; the signed roots over it are there."""
        number = turn.block.header.number
        for signed in self._blocks.flashblocks(number):
            flashblock = signed.flashblock
            first, stop = flashblock.first_position, flashblock.first_position + flashblock.transaction_count
            root = merkle.root(outcome_leaves(first, turn.promised[first:stop]))
            if root != flashblock.outcomes_root:
                values = {PROMISED: data(flashblock.outcomes_root), FRESH: data(root)}
                return Difference(number, first, "outcomesRoot", values)
        return None

    def _name(self, turn: _Turn, executed: Executed) -> Difference:
        block = turn.block
        promised = Answer(list(map(data, turn.promised)), block.header)
        found = compare(block, {PROMISED: promised, FRESH: executed.answer()})
        if found is None:
            raise Fatal(f"block {block.header.number} differs in nothing that can be named")
        if found.what != "stateRoot":
            return found
        engines = {"chain": self._chain_engine, FRESH: self._witness.engine}
        return first_state_difference(block, engines, self._genesis.spec.fee_vault) or found

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
