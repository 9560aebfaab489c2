"""Lets go of log segments whose blocks are final on DA and durable in store and state (D7)."""

import asyncio

from sequencer.consensus.local.service import LocalLog
from sequencer.core.ports import ExecutionEngine
from sequencer.public_heads import PublicHeads
from sequencer.retention import Retention
from sequencer.settlement import HeadsKeeper
from sequencer.storage.rocks import RocksStorage


class LogShortening:
    """One chain's."""

    def __init__(
        self,
        *,
        retention: Retention,
        public: PublicHeads,
        heads: HeadsKeeper,
        sequence_log: LocalLog,
        storage: RocksStorage,
        engine: ExecutionEngine,
    ) -> None:
        self._retention = retention
        self._public = public
        self._heads = heads
        self._log = sequence_log
        self._storage = storage
        self._engine = engine

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            await self._public.finalized.wait()
            self._public.finalized.clear()
            position = self._retention.final(self._heads.heads.finalized.number)
            if position is not None and self._log.would_free(position):
                await asyncio.to_thread(self._storage.flush)
                await asyncio.to_thread(self._engine.sync)
                await asyncio.to_thread(self._log.retain, position)
