"""Looking into executions: proofs, access lists and traces, beyond what every engine offers."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.inspection import AccountProof, SlotProof
from sequencer.core.ports import StateAt
from sequencer.core.transaction import AccessListEntry, Transaction
from sequencer.core.types import Address, Hash32


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


def state_number(at: StateAt) -> int | None:
    """How the extension takes a state: a number, or None for the open block."""
    return None if isinstance(at, str) else at
