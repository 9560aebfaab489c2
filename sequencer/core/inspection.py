"""Looking into state and executions, beyond what every engine offers: proofs, access lists, simulations, traces.

Each is a port of its own, which an engine is found to offer by ``isinstance``. The methods of JSON-RPC that need one
do not exist with an engine that lacks it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, runtime_checkable

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


class Ability(Enum):
    """What an engine may offer besides ``ExecutionEngine``."""

    STATE_PROOFS = "state proofs"
    ACCESS_LISTS = "access lists"
    SIMULATIONS = "simulations"
    TRACES = "traces"


@runtime_checkable
class StateProofs(Protocol):
    """Merkle proofs of any sealed state. Reads, from any thread, as are those of the other ports here."""

    def proof(self, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof:
        """The proof in the state after block ``number``. Raises ``Temporary`` for a state that is not kept.

        May cost as much as the blocks since then changed: callers limit how far back it may be asked.
        """
        ...


@runtime_checkable
class AccessLists(Protocol):
    """What a call touches."""

    def create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]:
        """What the call touches, without sender, recipient and precompiles, and the result with that list in place."""
        ...


@runtime_checkable
class Simulations(Protocol):
    """Blocks that do not exist."""

    def simulate(self, simulation: Simulation, at: StateAt, gas_cap: int, deadline_s: float) -> list[SimulatedBlock]:
        """Blocks that do not exist, one on top of the other, the first on the block ``at``, or in the open block's
        place on top of what it has executed. Gas of all calls together is at most ``gas_cap``. Raises ``Rejected``
        for a call or block that could not be, ``DeadlineExceeded``, and ``Temporary`` for a state that is not kept.
        """
        ...


@runtime_checkable
class Traces(Protocol):
    """What an execution does, step by step or call by call."""

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


class Inspection(StateProofs, AccessLists, Simulations, Traces, Protocol):
    """All of them: what an engine is taken for once it is known to have the ability that is asked for."""


_PORTS: Final[dict[Ability, type]] = {
    Ability.STATE_PROOFS: StateProofs,
    Ability.ACCESS_LISTS: AccessLists,
    Ability.SIMULATIONS: Simulations,
    Ability.TRACES: Traces,
}


def abilities(engine: object) -> frozenset[Ability]:
    """Which of these ports ``engine`` offers."""
    return frozenset(ability for ability, port in _PORTS.items() if isinstance(engine, port))
