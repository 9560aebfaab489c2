"""Traces, on every execution engine, on a chain of a few blocks."""

import json

import pytest

from sequencer.core.calls import AccountOverride, CallRequest
from sequencer.core.errors import DeadlineExceeded, Rejected
from tests.conformance.execution.bytecode import word, words
from tests.conformance.execution.chains import CONTRACTS, Chain

STORE, LOG, FORWARD, LOOP = (CONTRACTS[name] for name in ("STORE", "LOG", "FORWARD", "LOOP"))
CALLS = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}
STATE = {"tracer": "prestateTracer"}
DIFFERENCE = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}


@pytest.fixture
def grown(chain: Chain) -> Chain:
    """Three blocks: the first two committed, the last only sealed."""
    for number in (1, 2, 3):
        user = chain.users[0]
        stores = [user.send(STORE, 0, words(slot, 10 * number + slot)) for slot in range(4)]
        chain.block(*stores, user.send(STORE, 0, words(number, 0)))
        if number < 3:
            chain.engine.commit(number)
    return chain


def test_a_call_trace_shows_the_calls_within(grown: Chain) -> None:
    user = grown.users[1]
    block = grown.block(user.send(STORE, 0, words(1, 1)), user.send(FORWARD, 0, words(LOG, 3, 4)))
    (trace,) = [json.loads(t) for t in grown.engine.trace_transactions(4, block.transactions, range(1, 2), 10.0, CALLS)]
    assert (trace["type"], trace["from"], trace["to"]) == ("CALL", "0x" + user.address.hex(), "0x" + FORWARD.hex())
    assert int(trace["gasUsed"], 16) == block.outcomes[1].gas_used
    (inner,) = trace["calls"]
    assert (inner["to"], inner["from"]) == ("0x" + LOG.hex(), "0x" + FORWARD.hex())
    assert inner["logs"][0]["topics"] == ["0x" + word(3).hex()]


def test_a_state_trace_shows_before_and_after(grown: Chain) -> None:
    block = grown.block(grown.users[1].send(STORE, 0, words(1, 99)), grown.users[2].send(STORE, 0, words(1, 98)))
    traces = [json.loads(t) for t in grown.engine.trace_transactions(4, block.transactions, range(2), 10.0, STATE)]
    key = "0x" + word(1).hex()
    store = "0x" + STORE.hex()
    assert [int(trace[store]["storage"][key], 16) for trace in traces] == [31, 99]
    changes = [
        json.loads(t) for t in grown.engine.trace_transactions(4, block.transactions, range(1, 2), 10.0, DIFFERENCE)
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
def test_an_instruction_that_fails_says_so_in_geths_words(grown: Chain, code: str, error: str | None) -> None:
    override = {STORE: AccountOverride(code=bytes.fromhex(code))}
    trace = json.loads(grown.engine.trace_call(CallRequest(to=STORE, overrides=override), "pending", 10**6, 10.0, {}))
    assert trace["structLogs"][-1].get("error") == error


def test_an_instruction_trace_shows_every_step(grown: Chain) -> None:
    request = CallRequest(to=STORE, data=words(1, 2))
    trace = json.loads(grown.engine.trace_call(request, "pending", 10**6, 10.0, {}))
    assert [step["op"] for step in trace["structLogs"]] == [
        "PUSH1", "CALLDATALOAD", "PUSH0", "CALLDATALOAD", "SSTORE", "STOP",
    ]  # fmt: skip
    assert not trace["failed"]


def test_a_trace_is_stopped_in_time_and_refuses_what_it_does_not_know(grown: Chain) -> None:
    request = CallRequest(to=LOOP)
    with pytest.raises(DeadlineExceeded):
        grown.engine.trace_call(request, "pending", 10**12, 0.1, CALLS)
    with pytest.raises(Rejected):
        grown.engine.trace_call(request, "pending", 10**6, 1.0, {"tracer": "unheardTracer"})


def test_a_trace_that_would_not_fit_into_memory_is_refused(grown: Chain) -> None:
    """It costs the one who asks, and nobody else: the engine goes on."""
    forever_in_a_megabyte = bytes.fromhex("620fffe05150" + "5b5a5f52600656")
    request = CallRequest(to=STORE, overrides={STORE: AccountOverride(code=forever_in_a_megabyte)})
    options = {"enableMemory": True, "disableStack": True}
    with pytest.raises(DeadlineExceeded, match="the trace is too large: ask for less of it"):
        grown.engine.trace_call(request, "pending", 10**8, 60.0, options)
    few = json.loads(grown.engine.trace_call(request, "pending", 2_300_000, 60.0, options | {"limit": 3}))
    assert [step["op"] for step in few["structLogs"]] == ["PUSH3", "MLOAD", "POP"]


def test_the_deepest_calls_are_traced_to_the_end(grown: Chain) -> None:
    """1025 frames one in the other, deeper than serializers of JSON go by themselves."""
    calls_itself = bytes.fromhex("5f5f5f5f5f305af1")
    request = CallRequest(to=STORE, overrides={STORE: AccountOverride(code=calls_itself)})
    text = grown.engine.trace_call(request, "pending", 10**12, 60.0, {"tracer": "callTracer"})
    assert text.count('"type":"CALL"') == 1026
    assert text.count('"error":"max call depth exceeded"') == 1
