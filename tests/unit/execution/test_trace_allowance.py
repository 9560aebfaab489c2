"""What one trace may hold is bounded, whatever it is made of; beyond it the trace is refused, and never cut short."""

from collections.abc import Iterator, Mapping

import pytest

from execution.evm.reference import tracing, watcher
from execution.evm.reference.calls import Surroundings
from execution.evm.reference.chain_state import ChainState
from execution.evm.reference.node_store import NodeStore
from execution.evm.reference.rules import RULES
from execution.evm.reference.watcher import RECORDED_BYTES, Allowance
from sequencer.core.calls import AccountOverride, CallRequest
from sequencer.core.errors import DeadlineExceeded
from tests.conformance.execution.bytecode import word
from tests.conformance.execution.chains import CONTRACTS, genesis

STORE, FORWARD = CONTRACTS["STORE"], CONTRACTS["FORWARD"]
CALLS = {"tracer": "callTracer"}
MANY_LOGS = bytes.fromhex("5f5fa0") * 40
"""``LOG0`` of nothing, again and again."""
LONG_DATA = bytes(40_000)


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    store = NodeStore(tmp_path_factory.mktemp("state"))
    state = ChainState(store)
    state.open(genesis())
    point = state.read_point("pending")
    yield Surroundings(state.view(point.root), point.context, RULES[point.fork])
    store.close()


def test_all_of_it_may_be_used_and_no_byte_more() -> None:
    allowance = Allowance()
    allowance.take(RECORDED_BYTES - 1)
    allowance.take(1)
    with pytest.raises(DeadlineExceeded, match="too large: ask for less"):
        allowance.take(1)


@pytest.mark.parametrize(
    ("request_of", "options"),
    [
        (CallRequest(to=STORE, data=LONG_DATA), CALLS),
        (CallRequest(to=FORWARD, data=word(0) + LONG_DATA), CALLS),
        (
            CallRequest(to=STORE, overrides={STORE: AccountOverride(code=MANY_LOGS)}),
            CALLS | {"tracerConfig": {"withLog": True}},
        ),
        (CallRequest(to=STORE, overrides={STORE: AccountOverride(code=MANY_LOGS)}), {}),
        (
            CallRequest(to=STORE, overrides={STORE: AccountOverride(code=bytes(20_000))}),
            {"tracer": "prestateTracer"},
        ),
        (
            CallRequest(to=STORE, overrides={STORE: AccountOverride(code=b"".join(
                b"\x60" + bytes((slot,)) + b"\x54\x50" for slot in range(100)
            ))}),
            {"tracer": "prestateTracer"},
        ),
    ],
    ids=["call data", "inner call data", "logs", "instructions", "code", "slots"],
)  # fmt: skip
def test_every_kind_of_trace_is_held_to_it(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, request_of: CallRequest, options: Mapping[str, object]
) -> None:
    assert tracing.trace_call(request_of, around, 10_000_000, options), "it is there when there is room"
    monkeypatch.setattr(watcher, "RECORDED_BYTES", 10_000)
    with pytest.raises(DeadlineExceeded, match="too large"):
        tracing.trace_call(request_of, around, 10_000_000, options)


def test_what_is_not_shown_takes_no_room(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "RECORDED_BYTES", 10_000)
    logs = CallRequest(to=STORE, overrides={STORE: AccountOverride(code=MANY_LOGS)})
    assert tracing.trace_call(logs, around, 10_000_000, CALLS)
    assert tracing.trace_call(logs, around, 10_000_000, {"limit": 3})


def test_each_trace_has_an_allowance_of_its_own(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "RECORDED_BYTES", 50_000)
    request = CallRequest(to=STORE, data=LONG_DATA)
    for _ in range(3):
        assert tracing.trace_call(request, around, 10_000_000, CALLS)
