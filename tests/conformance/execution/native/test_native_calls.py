"""The suite of ``test_engine_calls``, on the native engine."""

import pytest

from sequencer.core.calls import CallRequest
from sequencer.core.errors import DeadlineExceeded
from tests.conformance.execution.bytecode import word
from tests.conformance.execution.chains import CONTRACTS, Chain
from tests.conformance.execution.test_engine_calls import *  # noqa: F403


def test_a_call_that_takes_too_long_is_stopped_and_the_next_one_works(chain: Chain) -> None:
    """As in the suite, but with gas asked for: a block's worth takes this engine less than the deadline."""
    request = CallRequest(to=CONTRACTS["LOOP"], gas_limit=10**12)
    for ask in (chain.engine.call, chain.engine.estimate):
        with pytest.raises(DeadlineExceeded):
            ask(request, "pending", 10**12, 0.2)
        assert chain.call("LOAD", word(7)).output == word(77)
