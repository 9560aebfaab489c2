"""Traces and access lists are the same from the native and the reference engine, whatever was executed.

Random blocks of transactions of every type, with init code of random instructions among them, are executed by both
and traced by both in every way that there is.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.evm.reference import access_list, tracing
from execution.evm.reference.calls import Surroundings
from execution.evm.reference.chain_state import ChainState
from execution.evm.reference.node_store import NodeStore
from execution.evm.reference.rules import RULES
from execution.evm.reference.transition import Call
from execution.evm.reference.wire import pack_transaction
from sequencer.core import transaction
from sequencer.core.calls import AccountOverride, CallRequest
from sequencer.core.errors import Rejected
from sequencer.core.transaction import AccessListEntry, RecoveredTransaction
from sequencer.core.types import Hash32
from tests.conformance.execution.bytecode import word
from tests.conformance.execution.chains import CONTRACTS, Chain, genesis
from tests.property.execution.native.test_engines_agree import STRANGERS, USERS, raw_transactions, requests

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

STORE = CONTRACTS["STORE"]
PUSH_ZERO = b"\x5f"
OPTIONS: dict[str, dict[str, Any]] = {
    "calls": {"tracer": "callTracer", "tracerConfig": {"withLog": True}},
    "outermost call": {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}},
    "state": {"tracer": "prestateTracer"},
    "difference": {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
    "difference of accounts": {
        "tracer": "prestateTracer",
        "tracerConfig": {"diffMode": True, "disableCode": True, "disableStorage": True},
    },
    "instructions": {"enableMemory": True, "enableReturnData": True},
    "few instructions": {"disableStack": True, "disableStorage": True, "limit": 5},
}


class Both(NamedTuple):
    """One chain on two engines."""

    native: Any
    reference: ChainState
    chain: Chain


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    from tests.conformance.execution.native.conftest import NativeMaker

    folder: Path = tmp_path_factory.mktemp("both")
    maker, store = NativeMaker(folder), NodeStore(folder / "reference")
    native, reference = maker.make("native"), ChainState(store)
    first = native.open(genesis())
    assert reference.open(genesis()) == first
    yield Both(native, reference, Chain(native, maker, genesis(), first))
    native.close()
    store.close()


@given(data=st.data())
def test_traces_of_sealed_transactions(both: Both, data: st.DataObject) -> None:
    native, reference, _ = both
    try:
        executed, packed = sealed(both, data)
        point, start = reference.replay_point(1)
        around = Surroundings(reference.view(point.root), point.context, RULES[point.fork])
        for name, options in OPTIONS.items():
            ours = native.trace_transactions(1, executed, range(len(executed)), 60.0, options)
            theirs = tracing.trace_block(around, start, packed, 0, options)
            for one, our, their in zip(executed, map(json.loads, ours), map(json.loads, theirs), strict=True):
                known = bool(one.access_list)
                assert comparable(our, slots_known=known) == comparable(their, slots_known=known), (name, one)
    finally:
        native.cancel()
        native.unwind(0)
        reference.unwind(0)


def sealed(both: Both, data: st.DataObject) -> tuple[list[RecoveredTransaction], list[Call]]:
    """The transactions of a block that both engines executed."""
    native, reference, chain = both
    attributes = chain.attributes()
    native.begin(attributes)
    reference.begin(attributes)
    nonces = {user.address: 0 for user in USERS}
    executed, packed = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        decoded = transaction.recover(transaction.decode(data.draw(raw_transactions(nonces))))
        (answer,) = native.apply([decoded])
        call = Call(*pack_transaction(decoded))
        reference.apply([call])
        if not isinstance(answer, Rejected):
            views = native.accounts(list(nonces), "pending")
            nonces = {address: view.nonce for address, view in zip(nonces, views, strict=True)}
            executed.append(decoded)
            packed.append(call)
    assert native.seal().header == reference.seal()
    return executed, packed


@given(request=requests)
def test_traces_of_calls(both: Both, request: CallRequest) -> None:
    native, reference, _ = both
    point = reference.read_point("pending")
    around = Surroundings(reference.view(point.root), point.context, RULES[point.fork])
    for name, options in OPTIONS.items():
        ours = answer_of(lambda: native.trace_call(request, "pending", 200_000, 60.0, options))  # noqa: B023
        theirs = answer_of(lambda: tracing.trace_call(request, around, 200_000, options))  # noqa: B023
        assert ours == theirs, name


lists = st.lists(
    st.builds(
        AccessListEntry,
        st.sampled_from([*CONTRACTS.values(), *STRANGERS, *(user.address for user in USERS)]),
        st.lists(st.integers(0, 4).map(lambda slot: Hash32(word(slot))), max_size=3).map(tuple),
    ),
    max_size=4,
).map(tuple)


@given(request=requests, listed=lists)
def test_access_lists_of_calls(both: Both, request: CallRequest, listed: tuple[AccessListEntry, ...]) -> None:
    native, reference, _ = both
    point = reference.read_point("pending")
    around = Surroundings(reference.view(point.root), point.context, RULES[point.fork])
    asked = replace(request, access_list=listed)
    ours = refused_or(lambda: native.create_access_list(asked, "pending", 200_000, 60.0))
    theirs = refused_or(lambda: access_list.create(asked, around, 200_000))
    assert ours == theirs


def refused_or(ask: Any) -> object:
    """The answer, or the text of the refusal."""
    try:
        return ask()
    except Rejected as refusal:
        return str(refusal)


def test_every_instruction_on_short_stacks(both: Both) -> None:
    native, reference, _ = both
    point = reference.read_point("pending")
    around = Surroundings(reference.view(point.root), point.context, RULES[point.fork])
    for opcode in range(256):
        for size in (0, 1, 2, 3, 7):
            code = PUSH_ZERO * size + bytes((opcode,)) + bytes(33)
            request = CallRequest(to=STORE, overrides={STORE: AccountOverride(code=code)})
            for options in (OPTIONS["instructions"], OPTIONS["calls"]):
                ours = json.loads(native.trace_call(request, "pending", 60_000, 60.0, options))
                theirs = json.loads(tracing.trace_call(request, around, 60_000, options))
                assert comparable(ours) == comparable(theirs), (hex(opcode), size)


def answer_of(ask: Any) -> object:
    """The trace, or the text of the refusal."""
    return refused_or(lambda: comparable(json.loads(ask())))


def comparable(trace: Any, *, slots_known: bool = False) -> Any:
    """The trace but for what each engine tells in its own way: how a precompile says that it failed, what an
    instruction cost that ran out of gas or stack, and which slots count as seen that an access list named or an
    instruction failed on."""
    if isinstance(trace, list):
        return [comparable(each) for each in trace]
    if not isinstance(trace, dict):
        return trace
    shown = {name: comparable(value) for name, value in trace.items()}
    if "error" in shown and int(trace.get("to") or "0x0", 16) in range(1, 18) and trace["error"] != "out of gas":
        shown["error"] = "precompile failed"
    steps = shown.get("structLogs", [])
    for step in steps:
        if step.get("error", "").startswith(("stack underflow", "out of gas")):
            step.pop("gasCost")
    if slots_known or any(step["op"] in ("SLOAD", "SSTORE") and "error" in step for step in steps):
        for step in steps:
            step.pop("storage", None)
    return shown
