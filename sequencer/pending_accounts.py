"""Accounts as the open block leaves them, for the pool. Never read by the threads that users' reads wait in, for
promises wait for this."""

import asyncio
from collections.abc import Sequence

from sequencer.core.calls import AccountView
from sequencer.core.plain_reads import PlainReader
from sequencer.core.ports import ExecutionEngine
from sequencer.core.types import Address

READ_AT_ONCE = 256
"""Accounts that the event loop reads itself, in half a millisecond, where the engine answers plain reads."""


class PendingAccounts:
    """Of one engine. ``now`` answers on the event loop; None where the engine is too slow for that."""

    def __init__(self, engine: ExecutionEngine) -> None:
        self._read = engine.accounts
        self.now = self._one if isinstance(engine, PlainReader) else None

    def _one(self, address: Address) -> AccountView:
        (account,) = self._read([address], "pending")
        return account

    async def of(self, addresses: Sequence[Address]) -> list[AccountView]:
        """In the order given."""
        if self.now is None:
            return await asyncio.to_thread(self._read, addresses, "pending")
        accounts: list[AccountView] = []
        for at in range(0, len(addresses), READ_AT_ONCE):
            if at:
                await asyncio.sleep(0)
            accounts += self._read(addresses[at : at + READ_AT_ONCE], "pending")
        return accounts
