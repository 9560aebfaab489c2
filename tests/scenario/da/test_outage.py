"""Ten minutes without Celestia, in simulated time: the chain goes on to its limit, then everything drains, once."""

import random

from prometheus_client import CollectorRegistry

from da.backpressure import FULL_PACE, BackPressureConfig, Pace, load_percent, pace, together
from da.batcher import Batcher, BatchTip
from da.config import BatcherConfig
from da.derive import AcceptedBatch
from da.metrics import DaMetrics
from da.service import DaService
from sequencer.core import secp256k1
from sequencer.core.views import PostedBatch
from tests.unit.da.celestia_node import CelestiaTwin
from tests.unit.da.chains import DOMAIN, GENESIS, KEY, ChainMaker, Shape, derivation
from tests.unit.da.world import CONFIG, Disk

OUTAGE = range(20, 620)
FULL_BLOCK_BYTES = 2000
LIMITS = BackPressureConfig(max_unposted_bytes=400_000, max_unposted_age_ms=3_600_000)


class Ignore:
    """A listener that keeps the safe head only."""

    def on_batch(self, batch: PostedBatch) -> None:
        pass

    def on_heads(self, heads: object) -> None:
        pass


class Sequencer:
    """Builder, batcher and outbox of one chain, a block a second, as they are wired in the node."""

    def __init__(self, layer: CelestiaTwin) -> None:
        self.now_ms = 0
        self.layer = layer
        self.blocks = ChainMaker(seed=5)
        self.batcher = Batcher(BatcherConfig(target_body_bytes=60_000), BatchTip.at_genesis(GENESIS.hash))
        metrics = DaMetrics(CollectorRegistry())
        self.da = DaService(
            Disk(), layer, Ignore(), metrics, config=CONFIG, clock_ms=lambda: self.now_ms, rng=random.Random(1)
        )

    def pace(self) -> Pace:
        waiting, backlog = self.batcher.unposted, self.da.backlog
        both = together(waiting.size_bytes, waiting.oldest_sealed_ms, backlog.size_bytes, backlog.oldest_prepared_ms)
        self.load = load_percent(both, self.now_ms, LIMITS)
        return pace(self.load)

    async def second(self) -> Pace:
        """One block, as large as it may be; what is due is closed; what can be posted is."""
        self.now_ms += 1000
        allowed = self.pace()
        size = FULL_BLOCK_BYTES * allowed.gas_percent // 100
        block = self.blocks.next(Shape(1, 1, size) if size else Shape(0))
        self.batcher.add(block, self.now_ms)
        if self.batcher.due(self.now_ms) and (self.da.in_flight < 2 or self.batcher.is_full):
            closed = self.batcher.cut(epoch=0, term=1)
            self.batcher.advance(closed.header)
            await self.da.enqueue(closed.signed([secp256k1.sign(KEY, DOMAIN.digest(closed.header.struct_hash))]))
        await self.da.advance()
        self.layer.advance()
        return allowed


async def test_the_chain_outlives_ten_minutes_without_its_layer() -> None:
    chain = Sequencer(CelestiaTwin())
    paces, loads = [], []
    for second in range(800):
        chain.layer.down = second in OUTAGE
        paces.append(await chain.second())
        loads.append(chain.load)
    assert set(paces[: OUTAGE.start]) == {FULL_PACE}
    assert max(loads) <= 105, "the backlog stops at its limit, give or take the heads of empty blocks"
    assert min(pace.gas_percent for pace in paces) < 20, "the limit was felt"
    assert paces[-1] == FULL_PACE
    assert chain.da.in_flight <= 2

    contents = chain.layer.contents()
    assert len({blob for _, blob in contents}) == len(contents), "nothing was posted twice"
    target = derivation()
    taken = [e for ref, blob in contents for e in target.feed(ref, blob) if isinstance(e, AcceptedBatch)]
    assert target.waiting == ()
    assert [block for batch in taken for block in batch.blocks][-1].attributes.number > 780
