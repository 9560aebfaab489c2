"""Looking into executions: proofs, access lists, simulations and traces, beyond what every engine offers."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from sequencer.core import rlp
from sequencer.core.block import decode_header
from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.inspection import AccountProof, SlotProof
from sequencer.core.keccak import keccak256
from sequencer.core.ports import StateAt
from sequencer.core.simulation import SimulatedBlock, SimulatedCall, Simulation
from sequencer.core.transaction import AccessListEntry, RecoveredTransaction, Transaction, with_known_sender
from sequencer.core.types import ZERO_HASH, Address, Hash32


class NativeInspection(ABC):
    """The port ``Inspection``, for an engine that answers ``ask``."""

    @abstractmethod
    def ask(self, method: str, *arguments: object) -> Any:
        """What the extension's method of this name answers."""

    def proof(self, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof:
        """The proof in the state after block ``number``. Raises ``Temporary`` for a block that is not there.

        Costs as much as the blocks since then changed: callers limit how far back it may be asked.
        """
        (nonce, balance, root, code_hash), nodes, proven = self.ask("proof", address, list(slots), number)
        parts = (SlotProof(slot, value, tuple(path)) for slot, (value, path) in zip(slots, proven, strict=True))
        return AccountProof(nonce, balance, root, code_hash, tuple(nodes), tuple(parts))

    def create_access_list(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
    ) -> tuple[tuple[AccessListEntry, ...], CallResult]:
        """What the call touches, without its own accounts and precompiles, and the result with that list in place."""
        entries, result = self.ask("create_access_list", request, state_number(at), gas_cap, deadline_s)
        return tuple(AccessListEntry(address, tuple(keys)) for address, keys in entries), CallResult(*result)

    def simulate(self, simulation: Simulation, at: StateAt, gas_cap: int, deadline_s: float) -> list[SimulatedBlock]:
        """Blocks that do not exist, as geth's ``eth_simulateV1`` makes them."""
        blocks = self.ask("simulate", simulation, state_number(at), gas_cap, deadline_s)
        requests = (request for block in simulation.blocks for request in block.calls)
        return [
            SimulatedBlock(decode_header(header), tuple(_simulated_call(next(requests), *call) for call in calls))
            for header, calls in blocks
        ]

    def trace_call(
        self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float, options: Mapping[str, object]
    ) -> str:
        """The trace of a call, as JSON text in the shape of geth's ``debug_traceCall`` for these options."""
        text: str = self.ask("trace_call", request, state_number(at), gas_cap, deadline_s, json.dumps(dict(options)))
        return text

    def trace_transactions(
        self,
        number: int,
        transactions: Sequence[Transaction],
        wanted: range,
        deadline_s: float,
        options: Mapping[str, object],
    ) -> list[str]:
        """Traces, as JSON text, of the ``wanted`` transactions of sealed block ``number``, given all of them."""
        given = (number, list(transactions), wanted.start, wanted.stop, deadline_s, json.dumps(dict(options)))
        texts: list[str] = self.ask("trace_block", *given)
        return texts


def _simulated_call(
    request: CallRequest, raw: bytes, max_gas_used: int, log_indexes: tuple[int, ...], result: tuple[Any, ...]
) -> SimulatedCall:
    return SimulatedCall(_unsigned(raw, request), CallResult(*result), max_gas_used, log_indexes)


def _unsigned(raw: bytes, request: CallRequest) -> RecoveredTransaction:
    """The transaction of these bytes, with zeros for a signature, which a legacy one cannot be decoded with."""
    if raw[0] < 0xC0:
        return with_known_sender(raw, request.sender)
    nonce, gas_price, gas_limit, *_ = rlp.decode_list(raw)
    return RecoveredTransaction(
        raw=raw,
        hash=keccak256(raw),
        signing_hash=ZERO_HASH,
        sender=request.sender,
        type=0,
        chain_id=None,
        nonce=rlp.as_uint(nonce, 64),
        max_priority_fee_per_gas=rlp.as_uint(gas_price),
        max_fee_per_gas=rlp.as_uint(gas_price),
        gas_limit=rlp.as_uint(gas_limit, 64),
        to=request.to,
        value=request.value,
        data=request.data,
        y_parity=0,
        r=0,
        s=0,
    )


def state_number(at: StateAt) -> int | None:
    """How the extension takes a state: a number, or None for the open block."""
    return None if isinstance(at, str) else at
