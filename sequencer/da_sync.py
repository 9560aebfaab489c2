"""``run --sync-from da``: from a genesis file and a DA layer alone to a node that goes on with the chain.

What a sync leaves behind is what retention leaves behind when everything is final: blocks in the store with their
signed flashblocks, the state, the outbox with every batch, and a log that begins after all of it, in the term of the
last batch. The start that follows knows nothing of the sync: it compares guard, log, store and DA as ever, begins a
term above every one that DA shows, and leads.

The order of steps is the one that a crash can be repaired from: a mark that a sync is under way; for each batch the
guard's record, the blocks, the state, the outbox's row; at last the log, and the mark goes. A sync that was cut off
reads the layer again from its start, executes what is missing, and comes to the same end.

A flashblock on DA is signed again only under the guard. Whoever lost the guard has to say that the key signed nothing
beyond what stands on DA (``signed_nothing_beyond``): nobody else can know.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from da.adoption import Adoption
from da.derive import AcceptedBatch, DerivationTip
from sequencer.consensus.local.service import LocalLog
from sequencer.core.block import Block, Header
from sequencer.core.errors import ConfigError, Fatal
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.genesis import Genesis
from sequencer.core.ports import BlobRef, DataAvailability, ExecutionEngine, Storage
from sequencer.derivation import DerivationDriver, OnProgress
from sequencer.preconf.guard import GuardRefused, LogRolledBack, SignedBatch, SignedPlace
from sequencer.preconf.guard_file import GuardFile
from sequencer.preconf.signing import GuardedSigner
from sequencer.storage.blocks import BlockStore
from sequencer.storage.meta import ChainMeta

log = structlog.get_logger(__name__)

LOG_BEGINS_AT: Final = 1
"""A log whose first position is not 0 is one whose beginning is kept elsewhere: here, on DA."""
QUIET_HEIGHTS: Final = 2
QUIET_S: Final = 30.0
"""The layer must move on so far, or so much time pass, without a new batch, before this node believes that nobody
else posts for the chain."""
_QUIET_POLL_S: Final = 0.5


class SyncStopped(Exception):
    """The node was told to stop. The next sync of the folder goes on."""


def refuse_half_synced(meta: ChainMeta) -> None:
    """For a start without a sync. Raises ``ConfigError`` if one was cut off."""
    if meta.syncing:
        reason = "a sync from DA was cut off in this data directory: give --sync-from da again, and it goes on"
        raise ConfigError("--sync-from", "", reason)


class DaSync:
    """One sync of one data directory. The layer must be open; nothing else may use the stores."""

    def __init__(
        self,
        *,
        genesis: Genesis,
        genesis_header: Header,
        engine: ExecutionEngine,
        sequence_log: LocalLog,
        storage: Storage,
        store: BlockStore,
        meta: ChainMeta,
        layer: DataAvailability,
        adoption: Adoption,
        guard: GuardFile,
        signer: GuardedSigner,
        signed_nothing_beyond: bool,
        on_progress: OnProgress,
        stopping: Callable[[], bool],
        quiet_s: float = QUIET_S,
    ) -> None:
        self._genesis = genesis
        self._genesis_header = genesis_header
        self._engine = engine
        self._log = sequence_log
        self._storage = storage
        self._store = store
        self._meta = meta
        self._layer = layer
        self._adoption = adoption
        self._guard = guard
        self._signer = signer
        self._signed_nothing_beyond = signed_nothing_beyond
        self._stopping = stopping
        self._quiet_s = quiet_s
        self._driver = DerivationDriver(genesis, genesis_header, engine, self, on_progress=on_progress)
        self._guarded = False

    async def run(self) -> None:
        """Until the node stands where the layer ends; at once if it holds its chain already. Raises ``ConfigError`` for
        a folder that holds something else, ``GuardRefused`` if the key must not sign, ``Temporary`` without a layer."""
        if not self._is_due():
            return
        await asyncio.to_thread(self._meta.begin_sync)
        await self._align()
        self._guarded = self._guard.exists
        if self._guarded:
            await asyncio.to_thread(self._guard.open)
        try:
            await self._driver.run(self._layer)
            await self._see_that_nobody_posts()
            self._check_end()
            await self._finish()
        finally:
            await asyncio.to_thread(self._guard.close)

    # ------------------------------------------------------------------------------------------- before and after

    def _is_due(self) -> bool:
        """Whether there is anything to do here."""
        if len(self._genesis.spec.sequencers.members) > 1:
            raise ConfigError("--sync-from", "da", "a member of a set takes its log from the others, not from DA")
        begun = self._log.next_position > 0
        if self._meta.syncing:
            if begun:
                self._meta.end_sync()  # only the mark was left
            return not begun
        head = self._store.head()
        if begun:
            log.info("nothing to sync from DA: the data directory holds the chain", block=head.number if head else 0)
        elif head is not None and head.number > 0:
            reason = (
                f"the data directory holds {head.number} blocks and no log of them, as `sequencer derive` leaves it or "
                "a lost log: use an empty one, with genesis.json and the key"
            )
            raise ConfigError("--sync-from", "da", reason)
        return not begun

    async def _align(self) -> None:
        """Store and state may be apart by what a crash interrupted."""
        if self._store.head() is None:
            await self._store.put(Block(self._genesis_header, (), ()), ())
        head = self._store.head()
        assert head is not None  # noqa: S101 - there is a genesis block
        if self._engine.height() > head.number:
            await asyncio.to_thread(self._engine.unwind, head.number)
        removed = await asyncio.to_thread(self._store.unwind, self._engine.height())
        if removed or self._engine.height():
            log.info("the sync from DA goes on", block=self._engine.height())

    async def _see_that_nobody_posts(self) -> None:
        """Read what came since, and then watch for a while."""
        tip = None
        while tip != self._driver.tip:
            tip = self._driver.tip
            await self._driver.run(self._layer)
        if not tip.sequence or self._layer.layer == "local":  # a lock in the kernel sees a twin on this machine
            return
        height, waited_s = await self._layer.head(), 0.0
        while waited_s < self._quiet_s and await self._layer.head() < height + QUIET_HEIGHTS:
            self._stop_if_told()
            await asyncio.sleep(_QUIET_POLL_S)
            waited_s += _QUIET_POLL_S
        await self._driver.run(self._layer)
        if tip != self._driver.tip:
            raise GuardRefused(
                f"batch {self._driver.tip.sequence} came while this node watched: another node posts for this chain "
                "with this key. Stop it for good; if it is stopped, and this was the last of it, start again"
            )

    def _check_end(self) -> None:
        """What must hold before anything is signed beyond DA."""
        tip, doubt = self._driver.tip, self._driver.doubt
        if doubt is not None:
            raise Fatal(
                f"a batch at height {doubt.ref.height} is signed by the sequencer and has no effect here "
                f"({doubt.detail}): this node would go on with another chain than the one that signed it"
            )
        newest, batches = self._guard.state.newest, self._guard.batches
        if newest is not None and newest.struct_hash != tip.last_flashblock:
            raise LogRolledBack(
                f"the key has signed up to {newest}, and DA ends with block {tip.last_block.number}, flashblock "
                f"0x{tip.last_flashblock.hex()}. This node refuses to lead, because it would break what was promised "
                "beyond DA. Restore the data directory that those promises were made from"
            )
        if batches and max(batches) > tip.sequence:
            raise LogRolledBack(
                f"the key has signed batch {max(batches)}, and DA ends with batch {tip.sequence}. Restore the data "
                "directory that has it: a second batch of that sequence is slashable"
            )

    async def _finish(self) -> None:
        tip = self._driver.tip
        if tip.sequence:
            await self._adoption.settle()
            await asyncio.to_thread(self._record_batch, tip)
            await asyncio.to_thread(self._storage.flush)
            await asyncio.to_thread(self._engine.sync)
            await asyncio.to_thread(self._log.begin_at, LOG_BEGINS_AT, tip.term)
        self._meta.end_sync()
        log.info("synced from DA", block=tip.last_block.number, batch=tip.sequence, term=tip.term)

    def _record_batch(self, tip: DerivationTip) -> None:
        known = self._guard.batches.get(tip.sequence)
        if known is None:
            self._check_may_raise(f"batch {tip.sequence}")
            self._guard.write_batch(SignedBatch(tip.sequence, tip.batch_hash))
        elif known != tip.batch_hash:
            raise GuardRefused(f"the key has signed batch {tip.sequence} as 0x{known.hex()}, DA holds another one")

    # ---------------------------------------------------------------------------------------------- batch by batch

    def header(self, number: int) -> Header | None:
        """As stored."""
        return self._store.header(number)

    def saw(self, ref: BlobRef, blob: bytes) -> None:
        """Remembered until its batch is whole. The one place, with ``_see_that_nobody_posts``, where a sync stops."""
        self._stop_if_told()
        self._adoption.saw(ref, blob)

    async def take(self, batch: AcceptedBatch, blocks: Sequence[Block]) -> None:
        """Sign again what stands on DA, store it, commit its state, put the batch into the outbox."""
        flashblocks = [entry.flashblock for derived in batch.blocks for entry in derived.flashblocks]
        await asyncio.to_thread(self._record, flashblocks)
        signed = await asyncio.to_thread(self._signer.sign, flashblocks) if blocks else []
        by_block: dict[int, list[SignedFlashblock]] = {}
        for item in signed:
            by_block.setdefault(item.flashblock.block_number, []).append(item)
        head = self._store.head()
        for block in blocks:
            if head is None or block.header.number > head.number:
                await self._store.put(block, by_block.get(block.header.number, ()))
        if blocks:
            await asyncio.to_thread(self._storage.flush)  # an engine cannot be unwound as far as a batch may reach
            await asyncio.to_thread(self._engine.commit, blocks[-1].header.number)
        await self._adoption.adopt(batch)

    def _record(self, flashblocks: Sequence[Flashblock]) -> None:
        """Let the guard know of them, so that they may be signed again."""
        if not self._guarded:
            self._check_may_raise("batches on DA")
            self._guard.create()
            self._guarded = True
        newest = self._guard.state.newest
        new = []
        for flashblock in flashblocks:
            place = SignedPlace.of(flashblock)
            if newest is None or place.place > newest.place:
                new.append(flashblock)
            elif place.place == newest.place and place != newest:
                raise GuardRefused(f"DA holds {place} where the key has signed {newest}: it is not the key's own chain")
        if new:
            self._check_may_raise(str(SignedPlace.of(new[-1])))
        state = self._guard.state.extended(new)
        self._signer.resume(state, {flashblock.struct_hash for flashblock in flashblocks})

    def _stop_if_told(self) -> None:
        if self._stopping():
            raise SyncStopped

    def _check_may_raise(self, what: str) -> None:
        if self._signed_nothing_beyond:
            return
        state = "is missing" if not self._guarded else f"knows signatures up to {self._guard.state.newest} only"
        raise GuardRefused(
            f"the guard {self._guard.path} {state}, and the key has signed {what}. Without it nobody can tell what "
            "else the key has signed. Import its newest export: sequencer guard import FILE. Only if the node that had "
            "it stopped in order, with everything posted, add --signed-nothing-beyond-da: if the key has promised "
            "anything that is not on DA, this node will contradict it, which is slashable"
        )
