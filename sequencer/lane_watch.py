"""Reads who holds the express lane from the contract that sells it, before each round begins.

What the newest sealed block says when a round is about to begin is the round's holder; it is read once. A
contract must not change a round's holder after that, or the audit will not agree with what was done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sequencer.core.types import Address, Hash32
from sequencer.ordering.lane import LaneTable, holder_slot

_AHEAD_MS: Final = 1_000
"""How long before a round its holder is read: longer than an idle chain takes to seal."""


class LaneWatcher:
    """``read_slot`` reads a storage slot of the newest sealed block."""

    def __init__(
        self,
        table: LaneTable,
        contract: Address,
        round_ms: int,
        read_slot: Callable[[Address, Hash32], Awaitable[Hash32]],
        clock_ms: Callable[[], int],
    ) -> None:
        self._table = table
        self._contract = contract
        self._round_ms = round_ms
        self._read_slot = read_slot
        self._clock_ms = clock_ms

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.learn()
            now_ms = self._clock_ms() + _AHEAD_MS
            await asyncio.sleep((self._round_ms - now_ms % self._round_ms) / 1000)

    async def learn(self) -> None:
        """The present round, if the node has just started, and the one that begins within a second."""
        now_ms = self._clock_ms()
        for number in dict.fromkeys((now_ms // self._round_ms, (now_ms + _AHEAD_MS) // self._round_ms)):
            if not self._table.knows(number):
                self._table.learn(number, await self._read_slot(self._contract, holder_slot(number)))
