"""Looking into state and executions: proofs, access lists, simulations, traces.

Beside ``ExecutionEngine`` every engine that a node runs offers this; what only executes, as a twin in a test does, need
not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.ports import StateAt
from sequencer.core.simulation import SimulatedBlock, Simulation
from sequencer.core.transaction import AccessListEntry, Transaction
from sequencer.core.types import Address, Hash32


@dataclass(frozen=True, slots=True)
class SlotProof:
    """A slot's value and the nodes of the storage trie that prove it, root first."""

    slot: Hash32
    value: int
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AccountProof:
    """An account and the nodes of the state trie that prove it or its absence, root first (EIP-1186)."""

    nonce: int
    balance_wei: int
    storage_root: Hash32
    code_hash: Hash32
    nodes: tuple[bytes, ...]
    slots: tuple[SlotProof, ...]


@runtime_checkable
class Inspection(Protocol):
    """Reads, from any thread. Each is stopped at its deadline, upon which it raises ``DeadlineExceeded``."""

    def proof(self, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof:
        """The proof in the state after block ``number``. Raises ``Temporary`` for a state that is not kept.

        May cost as much as the blocks since then changed: callers limit how far back it may be asked.
        """
        ...

    def create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]:
        """What the call touches, without sender, recipient and precompiles, and the result with that list in place."""
        ...

    def simulate(self, simulation: Simulation, at: StateAt, gas_cap: int, deadline_s: float) -> list[SimulatedBlock]:
        """Blocks that do not exist, one on top of the other, the first on the block ``at``, or in the open block's
        place on top of what it has executed. Gas of all calls together is at most ``gas_cap``. Raises ``Rejected``
        for a call or block that could not be, ``DeadlineExceeded``, and ``Temporary`` for a state that is not kept.
        """
        ...

    def trace_call(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float, options: Mapping[str, object]
    ) -> str:
        """The trace of a call, as JSON text in geth's shape for these options."""
        ...

    def trace_transactions(
        self,
        number: int,
        transactions: Sequence[Transaction],
        wanted: range,
        deadline_s: float,
        options: Mapping[str, object],
    ) -> list[str]:
        """Traces, as JSON text, of the ``wanted`` transactions of sealed block ``number``, given all of them."""
        ...
