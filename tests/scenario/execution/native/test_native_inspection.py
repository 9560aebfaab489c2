"""Traces of the native engine, on a chain of a few blocks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sequencer.core.calls import AccountOverride, CallRequest
from sequencer.core.errors import DeadlineExceeded, Rejected
from tests.conformance.execution.bytecode import word, words
from tests.conformance.execution.chains import CONTRACTS, Chain, genesis

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

STORE, LOG, FORWARD, LOOP = (CONTRACTS[name] for name in ("STORE", "LOG", "FORWARD", "LOOP"))
CALLS = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
STATE = {"tracer": "prestateTracer"}
DIFFERENCE = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Three blocks: the first committed, the last only sealed."""
    from tests.conformance.execution.native.conftest import NativeMaker

    maker = NativeMaker(tmp_path)
    engine = maker.make("state")
    chain = Chain(engine, maker, genesis(), engine.open(genesis()))
    for number in (1, 2, 3):
        user = chain.users[0]
        stores = [user.send(STORE, 0, words(slot, 10 * number + slot)) for slot in range(4)]
        chain.block(*stores, user.send(STORE, 0, words(number, 0)))
        if number < 3:
            engine.commit(number)
    yield chain
    engine.close()


def test_a_call_trace_shows_the_calls_within(chain: Chain) -> None:
    user = chain.users[1]
    block = chain.block(user.send(STORE, 0, words(1, 1)), user.send(FORWARD, 0, words(LOG, 3, 4)))
    (trace,) = [json.loads(t) for t in chain.engine.trace_transactions(4, block.transactions, range(1, 2), 10.0, CALLS)]
    assert (trace["type"], trace["from"], trace["to"]) == ("CALL", "0x" + user.address.hex(), "0x" + FORWARD.hex())
    assert int(trace["gasUsed"], 16) == block.outcomes[1].gas_used
    (inner,) = trace["calls"]
    assert (inner["to"], inner["from"]) == ("0x" + LOG.hex(), "0x" + FORWARD.hex())
    assert inner["logs"][0]["topics"] == ["0x" + word(3).hex()]


def test_a_state_trace_shows_before_and_after(chain: Chain) -> None:
    block = chain.block(chain.users[1].send(STORE, 0, words(1, 99)), chain.users[2].send(STORE, 0, words(1, 98)))
    traces = [json.loads(t) for t in chain.engine.trace_transactions(4, block.transactions, range(2), 10.0, STATE)]
    key = "0x" + word(1).hex()
    store = "0x" + STORE.hex()
    assert [int(trace[store]["storage"][key], 16) for trace in traces] == [31, 99]
    changes = [
        json.loads(t) for t in chain.engine.trace_transactions(4, block.transactions, range(1, 2), 10.0, DIFFERENCE)
    ]
    assert int(changes[0]["pre"][store]["storage"][key], 16) == 99
    assert int(changes[0]["post"][store]["storage"][key], 16) == 98


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("5f01", "stack underflow (1 <=> 2)"),
        ("600356", "invalid jump destination"),
        ("fe", "invalid opcode: INVALID"),
        ("5f5ffd", None),
        ("63ffffffff5f20", "out of gas"),
    ],
)
def test_an_instruction_that_fails_says_so_in_geths_words(chain: Chain, code: str, error: str | None) -> None:
    override = {STORE: AccountOverride(code=bytes.fromhex(code))}
    trace = json.loads(chain.engine.trace_call(CallRequest(to=STORE, overrides=override), "pending", 10**6, 10.0, {}))
    assert trace["structLogs"][-1].get("error") == error


def test_an_instruction_trace_shows_every_step(chain: Chain) -> None:
    request = CallRequest(to=STORE, data=words(1, 2))
    trace = json.loads(chain.engine.trace_call(request, "pending", 10**6, 10.0, {}))
    assert [step["op"] for step in trace["structLogs"]] == [
        "PUSH1", "CALLDATALOAD", "PUSH0", "CALLDATALOAD", "SSTORE", "STOP",
    ]  # fmt: skip
    assert not trace["failed"]


def test_a_trace_is_stopped_in_time_and_refuses_what_it_does_not_know(chain: Chain) -> None:
    request = CallRequest(to=LOOP)
    with pytest.raises(DeadlineExceeded):
        chain.engine.trace_call(request, "pending", 10**12, 0.1, CALLS)
    with pytest.raises(Rejected):
        chain.engine.trace_call(request, "pending", 10**6, 1.0, {"tracer": "unheardTracer"})
