"""Finds the account or storage slot in which two engines' states after a block differ. Blocking; for a fault only."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sequencer.core.block import Block
from sequencer.core.encoding import data
from sequencer.core.errors import SequencerError
from sequencer.core.inspection import Inspection
from sequencer.core.ports import ExecutionEngine
from sequencer.core.types import Address, Hash32
from sequencer.verification.comparison import Difference

TRACE_S: Final = 30.0
"""How long the search for touched slots may take."""


def first_state_difference(
    block: Block, engines: Mapping[str, ExecutionEngine], fee_vault: Address
) -> Difference | None:
    """The first part of the state after ``block`` on which ``engines`` do not agree, at the first transaction that
    touches it; None if everything that is known to be touched is the same. Only engines that offer
    ``Inspection`` tell storage slots."""
    number = block.header.number
    for position, address, slots in _touched(block, engines, fee_vault):
        views = {name: engine.accounts([address], number)[0] for name, engine in engines.items()}
        for field in ("balance_wei", "nonce", "code_hash"):
            values = {name: _text(getattr(view, field)) for name, view in views.items()}
            if len(set(values.values())) > 1:
                what = f"{field.removesuffix('_wei').replace('_', ' ')} of {data(address)}"
                return Difference(number, position, what, values)
        for slot in slots:
            values = {name: data(engine.storage(address, [slot], number)[0]) for name, engine in engines.items()}
            if len(set(values.values())) > 1:
                return Difference(number, position, f"storage {data(slot)} of {data(address)}", values)
    return None


def _touched(
    block: Block, engines: Mapping[str, ExecutionEngine], fee_vault: Address
) -> Iterator[tuple[int | None, Address, tuple[Hash32, ...]]]:
    """What each transaction touched, in order; then what the end of the block touches."""
    traced = _traced(block, engines)
    for position, (transaction, outcome) in enumerate(zip(block.transactions, block.outcomes, strict=True)):
        touched = dict(traced.get(position, {}))
        named = (transaction.sender, transaction.to, outcome.contract_address, *(log.address for log in outcome.logs))
        for address in named:
            if address is not None:
                touched.setdefault(address, ())
        for address, slots in touched.items():
            if address not in (block.header.coinbase, fee_vault):  # which every transaction touches
                yield position, address, slots
    yield None, block.header.coinbase, ()
    yield None, fee_vault, ()


def _traced(block: Block, engines: Mapping[str, ExecutionEngine]) -> Mapping[int, Mapping[Address, tuple[Hash32, ...]]]:
    """Accounts and slots that each transaction reads or writes, as far as an engine can tell."""
    found: dict[int, dict[Address, tuple[Hash32, ...]]] = {}
    for engine in engines.values():
        if not isinstance(engine, Inspection) or not block.transactions:
            continue
        try:
            traces = engine.trace_transactions(
                block.header.number,
                block.transactions,
                range(len(block.transactions)),
                TRACE_S,
                {"tracer": "prestateTracer"},
            )
        except SequencerError:  # what is not found this way is not named; the difference stands
            continue
        for position, trace in enumerate(map(json.loads, traces)):
            for address, slots in _parsed(trace):
                known = found.setdefault(position, {})
                known[address] = tuple(dict.fromkeys((*known.get(address, ()), *slots)))
    return found


def _parsed(trace: dict[str, Any]) -> Iterator[tuple[Address, tuple[Hash32, ...]]]:
    for address, account in trace.items():
        slots = tuple(Hash32(bytes.fromhex(slot[2:])) for slot in account.get("storage", {}))
        yield Address(bytes.fromhex(address[2:])), slots


def _text(value: object) -> str:
    return data(value) if isinstance(value, bytes) else str(value)
