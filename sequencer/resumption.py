"""From what is on disk to a chain that leads: may this node lead, bring everything to the log's end, lead."""

import asyncio
from collections.abc import Callable

from da.batcher import Batcher
from da.codec import ClosedBatch
from da.derive import AcceptedBatch, Derivation
from da.service import DaService
from sequencer.core.ports import SenderRecovery
from sequencer.leadership import Candidacy
from sequencer.log_repair import LogRepair
from sequencer.posting import sign_batch
from sequencer.preconf.metrics import PreconfMetrics
from sequencer.preconf.signing import GuardedSigner
from sequencer.recovery import Recovery, Resumed
from sequencer.stores import ChainStores


class Resumption:
    """One start of one chain. The DA service is loaded and does not run yet."""

    def __init__(
        self,
        *,
        stores: ChainStores,
        signer: GuardedSigner,
        recovery: SenderRecovery,
        batcher: Batcher,
        da: DaService,
        metrics: PreconfMetrics,
        clock_ms: Callable[[], int],
    ) -> None:
        self._stores = stores
        self._signer = signer
        self._recovery = recovery
        self._batcher = batcher
        self._da = da
        self._metrics = metrics
        self._clock_ms = clock_ms

    async def run(self) -> Resumed:
        """Where the chain goes on. Raises ``Fatal`` if this node may not lead it."""
        stores = self._stores
        candidacy = Candidacy(
            file=stores.guard,
            signer=self._signer,
            sequence_log=stores.sequence_log,
            store=stores.blocks,
            published=self._published,
            repair=LogRepair(stores.sequence_log, stores.blocks, self._da.batch),
            metrics=self._metrics,
        )
        await candidacy.run()
        resumed = await Recovery(
            genesis=stores.genesis,
            genesis_header=stores.genesis_header,
            sequence_log=stores.sequence_log,
            store=stores.blocks,
            engine=stores.engine,
            recovery=self._recovery,
            signer=self._signer,
            batcher=self._batcher,
            repost=self._repost,
            clock_ms=self._clock_ms,
        ).run()
        candidacy.check_batches(self._batcher.tip)
        self._signer.lead()
        return resumed

    async def _repost(self, batch: ClosedBatch) -> None:
        signed = await asyncio.to_thread(sign_batch, batch, self._signer.sign_batch)
        while not self._da.has_room:  # its loop does not run yet, so its steps are taken here
            wait_ms = await self._da.advance()
            await asyncio.sleep((wait_ms or 0) / 1000)
        await self._da.enqueue(signed, recovered=True)

    async def _published(self) -> bool:
        """The DA layer holds a batch that this chain's rules accept: somebody has signed already."""
        stores, members = self._stores, self._stores.genesis.spec.sequencers
        header = stores.genesis_header
        rules = Derivation(stores.domain, header.ref, header.timestamp, lambda _: members)
        async for ref, blob in stores.layer.layer.blobs(1):
            if any(isinstance(event, AcceptedBatch) for event in rules.feed(ref, blob)):
                return True
        return False
