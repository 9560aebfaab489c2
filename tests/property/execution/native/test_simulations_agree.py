"""Simulated blocks are the same from the native and the reference engine, to the root of their state."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.calls import BlockOverride, CallRequest
from sequencer.core.errors import Rejected
from sequencer.core.simulation import BlockCalls, Simulation
from sequencer.core.types import Address
from tests.conformance.execution.bytecode import words
from tests.conformance.execution.chains import BASE_FEE, CONTRACTS, Chain, EngineMaker, ReferenceMaker, genesis
from tests.property.execution.native.test_engines_agree import requests

pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")

plain = requests.map(lambda request: replace(request, overrides={}, value=min(request.value, 1)))
blocks = st.builds(
    lambda overridden, calls, block: BlockCalls(block, overridden.overrides, tuple(calls)),
    requests,
    st.lists(plain, max_size=3),
    st.builds(
        BlockOverride,
        number=st.sampled_from([None, None, 4, 6]),
        coinbase=st.sampled_from([None, Address(b"\x77" * 20)]),
        base_fee_per_gas=st.sampled_from([None, None, BASE_FEE]),
        gas_limit=st.sampled_from([None, 400_000]),
    ),
)
simulations = st.builds(
    Simulation,
    blocks=st.lists(blocks, min_size=1, max_size=3).map(tuple),
    validation=st.sampled_from([False, False, False, True]),
    trace_transfers=st.booleans(),
)


def grown(maker: EngineMaker) -> Chain:
    """A block is sealed, and another is open."""
    engine = maker.make("state")
    chain = Chain(engine, maker, genesis(), engine.open(genesis()))
    user = chain.users[0]
    chain.block(*(user.send(CONTRACTS["STORE"], 0, words(slot, 10 + slot)) for slot in range(4)))
    chain.begin()
    chain.execute(user.send(CONTRACTS["STORE"], 0, words(1, 0)))
    return chain


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.conformance.execution.native.conftest import NativeMaker

    folder: Path = tmp_path_factory.mktemp("simulations")
    chains = [grown(NativeMaker(folder / "native")), grown(ReferenceMaker(folder / "reference"))]
    yield chains
    for chain in chains:
        chain.engine.close()


@given(simulation=simulations, at=st.sampled_from(["pending", 0, 1]))
def test_simulated_blocks(both: list[Chain], simulation: Simulation, at: Any) -> None:
    ours, theirs = (answer_of(chain.engine, simulation, at) for chain in both)
    assert ours == theirs


def answer_of(engine: Any, simulation: Simulation, at: Any) -> Any:
    """The blocks and what is told of them, or the text of the refusal."""
    try:
        found = engine.simulate(simulation, at, 2_000_000, 60.0)
    except Rejected as refusal:
        return str(refusal)
    told = []
    for block in found:
        calls = [(call.transaction.raw, call.result, call.max_gas_used, call.log_indexes) for call in block.calls]
        told.append((block.header, calls))
    return told


def test_every_field_of_a_call_is_in_the_transaction(both: list[Chain]) -> None:
    call = CallRequest(to=CONTRACTS["STORE"], data=words(1, 2), gas_price=0, gas_limit=100_000)
    simulation = Simulation(blocks=(BlockCalls(calls=(call, replace(call, gas_price=None))),))
    for chain in both:
        engine: Any = chain.engine
        ((block,),) = [engine.simulate(simulation, "pending", 10**6, 30.0)]
        assert [each.transaction.type for each in block.calls] == [0, 2]
        assert [each.transaction.nonce for each in block.calls] == [0, 1]
        assert [each.transaction.data for each in block.calls] == [call.data] * 2
