"""Traces of the native engine that would take too much memory are refused in each of the ways in which they grow."""

import pytest

from sequencer.core.calls import AccountOverride, CallRequest
from sequencer.core.errors import DeadlineExceeded
from tests.conformance.execution.chains import CONTRACTS, Chain

STORE = CONTRACTS["STORE"]
STEPS = "5b5a5f52600056"
"""Writes to memory, again and again."""
FRAMES = "36601257" + "5b5f5f620f42405f5f3061fffff150600456" + "5b00"
"""Calls itself with a megabyte of data, again and again."""


@pytest.mark.parametrize(
    ("code", "options"), [(STEPS, {}), (FRAMES, {"tracer": "callTracer"})], ids=["instructions", "frames"]
)
def test_what_would_not_fit_into_memory_is_refused(chain: Chain, code: str, options: dict[str, object]) -> None:
    request = CallRequest(to=STORE, overrides={STORE: AccountOverride(code=bytes.fromhex(code))})
    with pytest.raises(DeadlineExceeded, match="the trace is too large: ask for less of it"):
        chain.engine.trace_call(request, "pending", 100_000_000, 60.0, options)  # type: ignore[attr-defined]


def test_so_are_those_of_sealed_transactions(chain: Chain) -> None:
    user = chain.users[0]
    forever = bytes.fromhex("620fffe05150" + "5b5a5f52600656")
    block = chain.block(user.send(b"", 0, forever, gas=10_000_000))
    options = {"enableMemory": True, "disableStack": True}
    with pytest.raises(DeadlineExceeded, match="the trace is too large"):
        chain.engine.trace_transactions(1, block.transactions, range(1), 60.0, options)  # type: ignore[attr-defined]
