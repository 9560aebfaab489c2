"""A large block is stored at leisure, unless the next one waits; a small one at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from da.batcher import Batcher, BatchTip
from da.config import BatcherConfig
from sequencer import settlement
from sequencer.channel import Broadcast
from sequencer.core.block import Block
from sequencer.core.flashblock_codec import PythonFlashblockCodec
from sequencer.core.heads import Heads
from sequencer.core.types import ZERO_ADDRESS
from sequencer.live import LiveBlocks
from sequencer.preconf.service import LoggedSeal
from sequencer.settlement import HeadsKeeper, Settlement
from sequencer.status import StatusBook
from sequencer.storage.blocks import BlockStore
from sequencer.storage.memory import MemoryStorage
from tests.unit.preconf.chains import DOMAIN
from tests.unit.storage.sample_blocks import block, chain

HOUR_S = 3600.0
LARGE = settlement.LARGE + 1


class Engine:
    """Knows which block's state was committed last."""

    committed = 0

    def commit(self, number: int) -> None:
        self.committed = number


class Stage:
    def __init__(self, engine: Any, store: BlockStore, genesis: Block) -> None:
        self.engine, self.store = engine, store
        self.live = LiveBlocks(DOMAIN, PythonFlashblockCodec(), ZERO_ADDRESS)
        self.settlement = Settlement(
            store=store,
            engine=engine,
            live=self.live,
            heads=HeadsKeeper(Heads.at_genesis(genesis.header.ref)),
            events=Broadcast(8),
            batcher=Batcher(BatcherConfig(), BatchTip.at_genesis(genesis.header.hash)),
            on_stored=lambda *_: None,
            statuses=StatusBook(),
            clock_ms=lambda: 0,
        )

    async def take(self, blocks: Sequence[Block]) -> None:
        for each in blocks:
            self.live.opened(each.header.attributes())
            await self.settlement.take(LoggedSeal(each, each.header.number))


@asynccontextmanager
async def stage_with(blocks: Sequence[Block], genesis: Block) -> AsyncIterator[Stage]:
    store = BlockStore(MemoryStorage())
    await store.put(genesis, [])
    stage = Stage(Engine(), store, genesis)
    await stage.take(blocks)
    running = asyncio.create_task(stage.settlement.run())
    yield stage
    running.cancel()


@pytest.fixture(autouse=True)
def _pauses_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "CATCH_UP_S", HOUR_S)
    monkeypatch.setattr(settlement, "PAUSE_S", HOUR_S)


def chain_of(*counts: int) -> list[Block]:
    blocks = chain(1)
    for number, count in enumerate(counts, 1):
        blocks.append(block(number, blocks[-1].header.hash, count=count))
    return blocks


async def test_a_block_of_any_usual_size_is_stored_at_once() -> None:
    genesis, *blocks = chain_of(0, settlement.LARGE)
    async with stage_with(blocks, genesis) as stage, asyncio.timeout(30):
        await stage.settlement.drain()
    assert stage.store.head() == blocks[-1].header.ref
    assert stage.engine.committed == 2


async def test_no_pause_while_the_next_block_waits() -> None:
    genesis, *blocks = chain_of(LARGE, LARGE, 1)
    async with stage_with(blocks, genesis) as stage, asyncio.timeout(30):
        await stage.settlement.drain()
    assert stage.store.head() == blocks[-1].header.ref


async def test_a_large_block_answers_from_memory_until_it_is_stored() -> None:
    genesis, *blocks = chain_of(LARGE)
    async with stage_with(blocks, genesis) as stage:
        for _ in range(100):
            await asyncio.sleep(0)
        assert stage.store.head() == genesis.header.ref
        assert 1 in stage.live.blocks
        assert stage.engine.committed == 0
