"""The shared examples of ``eth_simulateV1``, answered by every engine on a chain like the one they come from.

That chain's state is not known, so hashes of blocks and states differ, and what a contract reads of them. All else
must be the same: numbers, times, gas, fees, logs, hashes and roots of transactions and receipts, and error codes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from sequencer.core.block import Header
from sequencer.core.chain_spec import ChainSpec, FeeRule, ForkTime
from sequencer.core.genesis import Genesis
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.ports import ExecutionEngine
from sequencer.core.simulation import SimulatedBlock, Simulation
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.testing.backend import MemoryBackend
from tests.conformance.execution.chains import BEACON_ROOTS, HISTORY, Chain, EngineMaker, ReferenceMaker, genesis
from tests.conformance.rpc.test_rpc_openrpc import judge, schema_of
from tests.unit.rpc.calling import ask
from tests.unit.rpc.sample_chain import SPEC, dispatcher
from tests.vectors import vectors_dir

METHOD = "eth_simulateV1"
CHAIN_ID = 3503995874084926
HEAD = 54
BLOCK_TIME_S = 10
GAS_LIMIT = 200_000_000
BASE_FEE = 27_412_364
"""Of the head: with an empty block on it, the next one's is that of the examples."""
OF_THEIR_STATE = {"hash", "parentHash", "blockHash", "stateRoot"}
"""Members that cannot be equal."""
READS_THEIR_STATE = {
    "contract-calls-itself": 0,
    "add-more-non-defined-BlockStateCalls-than-fit-but-now-with-fit": 0,
    "use-as-many-features-as-possible": 29,
}
"""From which block on the contracts return block hashes."""


@pytest.fixture(scope="module", params=["reference", "native"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dispatcher]:
    maker = maker_of(request.param, tmp_path_factory.mktemp("simulate"))
    first, engine = like_theirs(), maker.make("chain")
    chain = Chain(engine, maker, first, engine.open(first))
    blocks = [chain.head]
    for number in range(1, HEAD + 1):
        chain.begin(
            timestamp=BLOCK_TIME_S * number,
            gas_limit=GAS_LIMIT,
            base_fee_per_gas=BASE_FEE,
            coinbase=ZERO_ADDRESS,
            prev_randao=ZERO_HASH,
        )
        blocks.append(chain.seal().header)
    yield dispatcher(EngineBackend(first.spec, blocks, engine))
    engine.close()


def maker_of(engine: str, folder: Path) -> EngineMaker:
    if engine == "reference":
        return ReferenceMaker(folder)
    pytest.importorskip("rollup_sequencer_native", reason="the native engine is not built: `make native` builds it")
    from tests.conformance.execution.native.conftest import NativeMaker

    return NativeMaker(folder)


def like_theirs() -> Genesis:
    spec = ChainSpec(
        name="examples",
        chain_id=CHAIN_ID,
        forks=(ForkTime("prague", 0),),
        gas_limit=GAS_LIMIT,
        fees=FeeRule(minimum_base_fee_wei=0),
        seed=ZERO_HASH,
        sequencers=SPEC.sequencers,
    )
    contracts = {address: genesis().accounts[address] for address in (BEACON_ROOTS, HISTORY)}
    return Genesis(spec, 0, {ZERO_ADDRESS: GenesisAccount(1), **contracts})


class EngineBackend(MemoryBackend):
    """A backend whose simulations are the engine's."""

    def __init__(self, spec: ChainSpec, headers: list[Header], engine: ExecutionEngine) -> None:
        super().__init__(spec, headers[0])
        self.engine: Any = engine

    async def simulate(
        self, simulation: Simulation, at: int | str, gas_cap: int, deadline_s: float
    ) -> list[SimulatedBlock]:
        found: list[SimulatedBlock] = self.engine.simulate(simulation, at, gas_cap, 60.0)
        return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "example" in metafunc.fixturenames:
        folder = vectors_dir() / "jsonrpc" / "execution-apis" / METHOD
        metafunc.parametrize("example", [pytest.param(path, id=path.stem) for path in sorted(folder.glob("*.io"))])


async def test_examples(served: Dispatcher, example: Any) -> None:
    lines = example.read_text().splitlines()
    (request,) = (json.loads(line[3:]) for line in lines if line.startswith(">> "))
    (expected,) = (json.loads(line[3:]) for line in lines if line.startswith("<< "))
    answer = await ask(served, METHOD, *request["params"])
    if "error" in expected:
        assert answer["error"]["code"] == expected["error"]["code"]
        assert answer["error"]["message"] == expected["error"]["message"]
        return
    assert "error" not in answer, answer
    if is_documented(expected["result"]):
        judge(METHOD, answer["result"])
    reads_state = READS_THEIR_STATE.get(example.stem.removeprefix("ethSimulate-"), 1_000)
    assert len(answer["result"]) == len(expected["result"])
    for number, (found, wanted) in enumerate(zip(answer["result"], expected["result"], strict=True)):
        left_out = OF_THEIR_STATE | ({"returnData"} if number >= reads_state else set())
        assert without(found, left_out) == without(wanted, left_out)
    hashes = [block["hash"] for block in answer["result"]]
    assert [block["parentHash"] for block in answer["result"]][1:] == hashes[:-1]


def without(value: Any, names: set[str]) -> Any:
    if isinstance(value, list):
        return [without(item, names) for item in value]
    if isinstance(value, dict):
        return {name: without(item, names) for name, item in value.items() if name not in names}
    return value


def is_documented(result: Any) -> bool:
    """The document asks for more than some of its own examples have (the data of a halt)."""
    schema = schema_of(METHOD)
    return schema is not None and Draft7Validator(schema).is_valid(result)
