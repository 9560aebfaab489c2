"""A chain goes out to a folder and comes back from it, with nothing else at hand."""

import random
from pathlib import Path

from prometheus_client import CollectorRegistry

from da import local
from da.batcher import Batcher, BatchTip
from da.config import BatcherConfig
from da.derive import AcceptedBatch
from da.inclusion import DaHeads
from da.local import LocalLayer
from da.metrics import DaMetrics
from da.service import DaService
from sequencer.core import secp256k1
from sequencer.core.views import PostedBatch
from tests.unit.da.chains import DOMAIN, GENESIS, KEY, derivation, make_blocks
from tests.unit.da.world import CONFIG, Disk


class Told:
    """Takes what the service says."""

    def __init__(self) -> None:
        self.heads: list[DaHeads] = []

    def on_batch(self, batch: PostedBatch) -> None:
        assert batch.layer == "local"

    def on_heads(self, heads: DaHeads) -> None:
        self.heads.append(heads)


async def test_blocks_to_batches_to_files_and_back_over_a_restart(tmp_path: Path) -> None:
    blocks = make_blocks(30, seed=9)
    disk = Disk()
    told = Told()
    batcher = Batcher(BatcherConfig(max_blocks=4), BatchTip.at_genesis(GENESIS.hash))
    for life in (blocks[:15], blocks[15:]):
        layer = LocalLayer(tmp_path)
        layer.open('{"chain": 1}')
        metrics = DaMetrics(registry := CollectorRegistry())
        service = DaService(disk, layer, told, metrics, config=CONFIG, clock_ms=lambda: 5000, rng=random.Random(1))
        await service.load()
        for block in life:
            batcher.add(block, 1000)
        while batcher.unposted.blocks:
            closed = batcher.cut(epoch=0, term=1)
            batcher.advance(closed.header)
            await service.enqueue(closed.signed([secp256k1.sign(KEY, DOMAIN.digest(closed.header.struct_hash))]))
            assert await service.advance() is None
    assert service.heads.finalized == blocks[-1].ref
    assert told.heads[-1] == service.heads
    assert registry.get_sample_value("sequencer_da_finalized_block") == 30
    assert registry.get_sample_value("sequencer_da_batches_total") == 4

    target = derivation()
    events = [event for ref, blob in local.read_all(tmp_path) for event in target.feed(ref, blob)]
    assert all(isinstance(event, AcceptedBatch) for event in events)
    assert [b for event in events if isinstance(event, AcceptedBatch) for b in event.blocks] == [
        block.derived() for block in blocks
    ]
    assert target.tip.last_block == blocks[-1].ref
    assert (tmp_path / local.GENESIS_FILE).read_text() == '{"chain": 1}'
