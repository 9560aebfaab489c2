"""A process that executes calls, one at a time, and is killed when one takes too long.

It holds no state. What a call reads it asks the execution process for, an account or slot at a time, and keeps:
slots and code are named by hashes, so they never go stale, and accounts are kept for one state root. So it
sees the pending state without anything being shipped or synchronised, and can be replaced at any moment.
"""

import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

from execution.evm.reference import access_list, calls, tracing
from execution.evm.reference.calls import Surroundings
from execution.evm.reference.chain_state import ReadPoint
from execution.evm.reference.rules import RULES
from execution.evm.reference.simulation import Simulator
from execution.evm.reference.transition import Call
from execution.evm.reference.wire import serve_one, value_of
from execution.evm.reference.world import Account
from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.ports import StateAt
from sequencer.core.simulation import SimulatedBlock, Simulation
from sequencer.core.transaction import AccessListEntry
from sequencer.core.types import Hash32

DEEP_STACK_BYTES: Final = 256 * 1024 * 1024
"""For 1024 nested calls of several C frames each; reserved, not used, until they come."""
_RECURSION_LIMIT: Final = 20_000
_KEPT_LIMIT: Final = 50_000
_CODES_LIMIT: Final = 1_000


@dataclass(slots=True)
class _Memory:
    root: bytes = b""
    accounts: dict[bytes, Account | None] = field(default_factory=dict)
    slots: dict[tuple[bytes, int], int] = field(default_factory=dict)
    codes: dict[bytes, bytes] = field(default_factory=dict)


class RemoteState:
    """A ``StateSource`` at the other end of a connection."""

    def __init__(self, connection: "Connection[Any, Any]", root: bytes, memory: _Memory) -> None:
        self._connection = connection
        self._root = root
        self._memory = memory

    def account(self, address: bytes) -> Account | None:
        accounts = self._memory.accounts
        if address not in accounts:
            _make_room(accounts, _KEPT_LIMIT)
            accounts[address] = self._ask("account_at", self._root, address)
        return accounts[address]

    def slot(self, storage_root: bytes, slot: int) -> int:
        slots, key = self._memory.slots, (storage_root, slot)
        if key not in slots:
            _make_room(slots, _KEPT_LIMIT)
            slots[key] = self._ask("slot_at", storage_root, slot)
        return slots[key]

    def code(self, code_hash: bytes) -> bytes:
        codes = self._memory.codes
        if code_hash not in codes:
            _make_room(codes, _CODES_LIMIT)
            codes[code_hash] = self._ask("code_with_hash", code_hash)
        return codes[code_hash]

    def block_hash(self, number: int) -> Hash32:
        return Hash32(self._ask("block_hash", number))

    def _ask(self, *request: Any) -> Any:
        self._connection.send(request)
        return value_of(self._connection.recv())


class ReadWorker:
    """Answers what an engine is asked that executes and keeps nothing."""

    def __init__(self, state: "Connection[Any, Any]") -> None:
        self._state = state
        self._memory = _Memory()

    def handle(self, method: str, *arguments: Any) -> object:
        """One request of the parent."""
        return getattr(self, f"do_{method}")(*arguments)

    def do_call(self, request: CallRequest, at: StateAt, gas_cap: int) -> CallResult:
        return calls.call(request, self._around(request, at), gas_cap)

    def do_estimate(self, request: CallRequest, at: StateAt, gas_cap: int) -> int | CallResult:
        return calls.estimate(request, self._around(request, at), gas_cap)

    def do_create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]:
        return access_list.create(request, self._around(request, at), gas_cap)

    def do_trace_call(self, request: CallRequest, at: StateAt, gas_cap: int, options: dict[str, object]) -> str:
        return tracing.trace_call(request, self._around(request, at), gas_cap, options)

    def do_trace_block(
        self, number: int, packed: Sequence[tuple[Any, ...]], first: int, options: dict[str, object]
    ) -> list[str]:
        point, start = self._ask("replay_point", number)
        transactions = [Call(*fields) for fields in packed]
        return tracing.trace_block(self._at(point), start, transactions, first, options)

    def do_simulate(self, simulation: Simulation, at: StateAt, gas_cap: int) -> list[SimulatedBlock]:
        def node(key: bytes) -> bytes | None:
            found: bytes | None = self._ask("node", key)
            return found

        def block_hash(number: int) -> Hash32:
            return Hash32(self._ask("block_hash", number))

        return Simulator(simulation, self._ask("simulation_base", at), gas_cap, node, block_hash).run()

    def _around(self, request: CallRequest, at: StateAt) -> Surroundings:
        timestamp = None if request.block is None else request.block.timestamp
        return self._at(self._ask("read_point", at, timestamp))

    def _at(self, point: ReadPoint) -> Surroundings:
        if self._memory.root != point.root:
            self._memory.root = point.root
            self._memory.accounts.clear()
        return Surroundings(RemoteState(self._state, point.root, self._memory), point.context, RULES[point.fork])

    def _ask(self, *request: Any) -> Any:
        self._state.send(request)
        return value_of(self._state.recv())


def run(requests: "Connection[Any, Any]", state: "Connection[Any, Any]") -> None:
    """Serve ``requests`` until its other end is gone."""
    worker = ReadWorker(state)
    with_deep_stack(lambda: _serve(requests, worker)).join()


def with_deep_stack(body: Any) -> threading.Thread:
    """Start ``body`` in a thread whose stack holds the deepest calls the EVM allows."""
    sys.setrecursionlimit(_RECURSION_LIMIT)
    threading.stack_size(DEEP_STACK_BYTES)
    thread = threading.Thread(target=body, name="evm", daemon=True)
    thread.start()
    return thread


def _serve(requests: "Connection[Any, Any]", worker: ReadWorker) -> None:
    while serve_one(requests, worker.handle, "temporary"):
        pass


def _make_room(kept: dict[Any, Any], limit: int) -> None:
    if len(kept) >= limit:
        kept.clear()
