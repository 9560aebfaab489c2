"""How much may happen at once: slots per kind of work, so that reads never starve sends."""

import asyncio
from collections.abc import Mapping
from types import TracebackType

from sequencer.rpc.config import RpcConfig
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.method import Kind


class Gate:
    """Lets ``slots`` through at once and ``waiting_limit`` more wait; whoever comes after is refused.

    ``async with gate:`` holds one slot. Raises ``RpcError`` -32005 when even the waiting room is full.
    """

    def __init__(self, name: str, slots: int, waiting_limit: int) -> None:
        self._name = name
        self._slots = asyncio.Semaphore(slots)
        self._waiting_limit = waiting_limit
        self._waiting = 0

    async def __aenter__(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self._waiting >= self._waiting_limit:
            raise RpcError(Errors.LIMIT_EXCEEDED, f"limit exceeded: too many {self._name} requests in progress")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    def enter_now(self) -> bool:
        """Take a slot if one is free, to be given back by ``leave``."""
        if self._slots.locked():
            return False
        entering = self._slots.acquire()  # of a semaphore that is not locked, which does not wait
        try:
            entering.send(None)
        except StopIteration:
            return True
        raise AssertionError("a free slot was waited for")

    def leave(self) -> None:
        """Give the slot of ``enter_now`` back."""
        self._slots.release()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slots.release()


def gates(config: RpcConfig) -> Mapping[Kind, Gate]:
    """A gate for each kind of work that takes time. Kinds without one answer from memory."""
    waiting = config.waiting_limit
    reads = Gate("state", config.read_slots, waiting)
    return {
        Kind.STATE: reads,
        Kind.BLOCK: reads,
        Kind.CALL: Gate("call", config.call_slots, waiting),
        Kind.LOGS: Gate("log", config.log_slots, waiting),
        Kind.TRACE: Gate("trace", config.trace_slots, waiting),
        Kind.SEND: Gate("send", config.send_limit, 0),
        Kind.WAIT: Gate("waiting", config.sync_send_limit, 0),
    }
