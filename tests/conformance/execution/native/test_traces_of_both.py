"""What the two engines tell of the same transactions, one of each kind that a trace shows in its own way."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sequencer.core.block import Block
from tests.conformance.execution import bytecode
from tests.conformance.execution.bytecode import returning, words
from tests.conformance.execution.chains import CONTRACTS, Chain, ReferenceMaker, genesis
from tests.conformance.execution.users import User

OPTIONS: list[dict[str, Any]] = [
    {"tracer": "callTracer", "tracerConfig": {"withLog": True}},
    {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True, "withLog": True}},
    {"tracer": "prestateTracer"},
    {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
    {"tracer": "prestateTracer", "tracerConfig": {"disableCode": True, "disableStorage": True}},
    {"enableMemory": True, "enableReturnData": True},
    {"disableStack": True, "disableStorage": True, "limit": 3},
]
IDENTITY = bytes(19) + b"\x04"
EVERY_CALL = bytes.fromhex(
    "5f5f5f5f5f61c0035af1"  # call LOG_AND_REVERT
    "5f5f5f5f61c0025af4"  # delegatecall LOG
    "5f5f5f5f600161c0025af2"  # callcode LOG with one wei
    "5f5f5f5f61c0065afa"  # staticcall CALLER
    "5f5f5f5f60045afa"  # staticcall a precompile
    "5f5f5f5f69ffffffffffffffffffff61c0065af1"  # call with more than it has
    "5f5f5ff0"  # create nothing
    "5f5f69fffffffffffffffffffff0"  # create with more than it has
    "60ff5f5f5ff5"  # create2 nothing
    "60ff5f5f5ff5"  # where something stands now, which takes all the gas
)
REASON = bytes.fromhex("08c379a0") + words(32, 2) + b"no".ljust(32, b"\0")
REVERTING = bytes.fromhex(f"60{len(REASON):02x}600a5f3960{len(REASON):02x}5ffd") + REASON


def transactions(users: list[User]) -> dict[str, bytes]:
    one, two, three, four, five = users[1:6]
    store, forward = CONTRACTS["STORE"], CONTRACTS["FORWARD"]
    return {
        "transfer": one.send(b"\x5e" * 20, 5),
        "write": one.send(store, 0, words(1, 7)),
        "write again": one.send(store, 0, words(1, 7)),
        "clear": one.send(store, 0, words(1, 0)),
        "log": one.send(CONTRACTS["LOG"], 3, words(1, 7)),
        "revert": one.send(CONTRACTS["LOG_AND_REVERT"]),
        "revert with a reason": one.send(b"", 0, REVERTING),
        "call within": two.send(forward, 0, words(CONTRACTS["LOG"], 1, 2)),
        "revert within": two.send(forward, 0, words(CONTRACTS["LOG_AND_REVERT"], 1, 2)),
        "write in a static call": two.send(CONTRACTS["STATIC_FORWARD"], 0, words(store, 1, 2)),
        "destroy": two.send(CONTRACTS["DESTRUCT"], 9),
        "destroy within": two.send(forward, 0, words(CONTRACTS["DESTRUCT"], 1, 2)),
        "out of gas": two.send(CONTRACTS["LOOP"], gas=22_000),
        **{name: two.send(CONTRACTS[name]) for name in ("INVALID", "UNDERFLOW", "BAD_JUMP", "OVERFLOW")},
        "deploy": three.send(b"", 7, returning(bytecode.LOAD)),
        "deploy what destroys itself": three.send(b"", 7, bytes.fromhex("30ff")),
        "deploy what may not be": three.send(b"", 7, returning(b"\xef")),
        "deploy nothing": three.send(b""),
        "every kind of call": three.send(b"", 100, EVERY_CALL, gas=400_000),
        "delegate": four.send(five.address, 0, words(4, 5), kind=4, authorizations=[five.authorize(store, 0)]),
        "call who delegates": four.send(forward, 0, words(five.address, 4, 6)),
        "precompile": four.send(IDENTITY, 0, b"hello"),
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, bytes], list[tuple[Any, Block]]]]:
    """The transactions, and the block of them on each engine."""
    from tests.conformance.execution.native.conftest import NativeMaker

    folder = tmp_path_factory.mktemp("both")
    makers = (NativeMaker(folder / "native"), ReferenceMaker(folder / "reference"))
    raws = transactions([User(number) for number in range(6)])
    built = []
    for maker in makers:
        engine = maker.make("state")
        chain = Chain(engine, maker, genesis(), engine.open(genesis()))
        built.append((engine, chain.block(*raws.values())))
    yield raws, built
    for engine, _ in built:
        engine.close()


@pytest.mark.parametrize("options", OPTIONS, ids=json.dumps)
def test_both_engines_tell_the_same(both: Any, options: dict[str, Any]) -> None:
    raws, built = both
    told = []
    for engine, block in built:
        traces = engine.trace_transactions(1, block.transactions, range(len(raws)), 60.0, options)
        told.append(dict(zip(raws, map(json.loads, traces), strict=True)))
    ours, theirs = told
    for name in raws:
        assert ours[name] == theirs[name], name


def test_reasons_and_kinds_are_in_the_trace(both: Any) -> None:
    raws, ((engine, block), _) = both
    names = list(raws)
    at = names.index("revert with a reason"), names.index("every kind of call")
    traces = engine.trace_transactions(1, block.transactions, range(len(raws)), 60.0, {"tracer": "callTracer"})
    reverted, calls = (json.loads(traces[each]) for each in at)
    assert (reverted["error"], reverted["revertReason"]) == ("execution reverted", "no")
    assert [(call["type"], call.get("error", "")) for call in calls["calls"]] == [
        ("CALL", "execution reverted"),
        ("DELEGATECALL", ""),
        ("CALLCODE", ""),
        ("STATICCALL", ""),
        ("STATICCALL", ""),
        ("CALL", "insufficient balance for transfer"),
        ("CREATE", ""),
        ("CREATE", "insufficient balance for transfer"),
        ("CREATE2", ""),
        ("CREATE2", "contract address collision"),
    ]
