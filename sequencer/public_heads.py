"""What of the chain is public: news from the DA service, told on to the heads and to the statuses.

Before the chain is recovered nobody knows the blocks that the service speaks of; their heads are looked up then.
"""

import asyncio
from collections.abc import Callable

from da.inclusion import DaHeads
from sequencer.core.block import BlockRef
from sequencer.core.heads import Heads
from sequencer.core.views import PostedBatch, Status
from sequencer.settlement import HeadsKeeper
from sequencer.status import StatusBook


class PublicHeads:
    """Listens to the DA service; ``finalized`` is set whenever that head has moved."""

    def __init__(
        self, heads: HeadsKeeper, statuses: StatusBook, genesis: BlockRef, clock_ms: Callable[[], int]
    ) -> None:
        self._heads = heads
        self._statuses = statuses
        self._genesis = genesis
        self._clock_ms = clock_ms
        self._recovered = False
        self.finalized = asyncio.Event()

    def restore(self, head: BlockRef, posted: DaHeads) -> None:
        """The chain is recovered up to ``head``, and the DA service knows of ``posted``."""
        self._heads.heads = Heads(head, posted.safe or self._genesis, posted.finalized or self._genesis)
        self._recovered = True

    def on_batch(self, batch: PostedBatch) -> None:
        """A batch moved on."""
        if batch.state == "submitted":
            for number in range(batch.first_block, batch.last_block + 1):
                self._statuses.blocks.reached(number, Status.POSTED, self._clock_ms())

    def on_heads(self, heads: DaHeads) -> None:
        """Safe or finalized moved."""
        if not self._recovered:
            return
        before = self._heads.heads
        now_ms = self._clock_ms()
        safe = heads.safe or self._genesis
        if safe != before.safe and safe.number <= before.unsafe.number:
            self._heads.posted(safe)
            for number in range(before.safe.number + 1, safe.number + 1):
                self._statuses.blocks.reached(number, Status.SAFE, now_ms)
        reachable = self._heads.heads.safe.number  # before recovery is through, the DA service knows more than we do
        if heads.finalized and before.finalized.number < heads.finalized.number <= reachable:
            self._heads.final(heads.finalized)
            self.finalized.set()
            for number in range(before.finalized.number + 1, heads.finalized.number + 1):
                self._statuses.blocks.reached(number, Status.FINALIZED, now_ms)
