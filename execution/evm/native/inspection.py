"""Looking into executions: proofs, access lists and traces, beyond what every engine offers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from execution.evm.native.engine import NativeEngine, state_number
from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.ports import StateAt
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


def proof(engine: NativeEngine, address: Address, slots: Sequence[Hash32], number: int) -> AccountProof:
    """The proof in the state after block ``number``. Raises ``Temporary`` for a block that is not there.

    Costs as much as the blocks since then changed: callers limit how far back it may be asked.
    """
    (nonce, balance, root, code_hash), nodes, proven = engine.ask("proof", address, list(slots), number)
    parts = (SlotProof(slot, value, tuple(path)) for slot, (value, path) in zip(slots, proven, strict=True))
    return AccountProof(nonce, balance, root, code_hash, tuple(nodes), tuple(parts))


def create_access_list(
    engine: NativeEngine, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float
) -> tuple[tuple[AccessListEntry, ...], CallResult]:
    """What the call touches, without its own accounts and precompiles, and the result with that list in place."""
    entries, result = engine.ask("create_access_list", request, state_number(at), gas_cap, deadline_s)
    return tuple(AccessListEntry(address, tuple(keys)) for address, keys in entries), CallResult(*result)


def trace_call(
    engine: NativeEngine, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float, options: Mapping[str, Any]
) -> Any:
    """The trace of a call, as geth's ``debug_traceCall`` gives it for these options."""
    return json.loads(engine.ask("trace_call", request, state_number(at), gas_cap, deadline_s, json.dumps(options)))


def trace_transactions(
    engine: NativeEngine,
    number: int,
    transactions: Sequence[Transaction],
    wanted: range,
    deadline_s: float,
    options: Mapping[str, Any],
) -> list[Any]:
    """Traces of the ``wanted`` transactions of sealed block ``number``, given all of its transactions."""
    given = (number, list(transactions), wanted.start, wanted.stop, deadline_s, json.dumps(options))
    return [json.loads(text) for text in engine.ask("trace_block", *given)]
