"""Plain reads: answered in one crossing exactly as the general way answers them, or left to it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sequencer.core.calls import AccountView, CallRequest, CallResult
from sequencer.core.plain_reads import PlainReader
from sequencer.core.ports import ExecutionEngine, StateAt
from sequencer.core.types import Address, Hash32
from sequencer.rpc.dispatcher import Dispatcher
from sequencer.testing.backend import MemoryBackend
from tests.conformance.execution.bytecode import word, words
from tests.conformance.execution.chains import CONTRACTS, Chain
from tests.unit.rpc.sample_chain import dispatcher

LOAD, STORE, LOOP = (CONTRACTS[name] for name in ("LOAD", "STORE", "LOOP"))
CAP = 2_000_000


class EngineBackend(MemoryBackend):
    """A chain whose state is the engine's."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain.genesis.spec, chain.head)
        self.engine: ExecutionEngine = chain.engine

    async def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        return self.engine.accounts(addresses, at)

    async def code(self, address: Address, at: StateAt) -> bytes:
        return self.engine.code(address, at)

    async def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]:
        return self.engine.storage(address, slots, at)

    async def call(self, request: CallRequest, at: StateAt, gas_cap: int, deadline_s: float) -> CallResult:
        return self.engine.call(request, at, gas_cap, deadline_s)


Make = Callable[..., tuple[Dispatcher, Dispatcher]]


@pytest.fixture
def ways(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Make:
    """The short way and the general way to the same state, in the middle of a block. Only instructions are counted:
    the clock of a busy machine would decide otherwise from run to run."""
    monkeypatch.setattr("sequencer.rpc.dispatcher._PLAIN_BUDGET_S", 60.0)

    def make(**limits: Any) -> tuple[Dispatcher, Dispatcher]:
        general, short = EngineBackend(chain), EngineBackend(chain)
        assert isinstance(chain.engine, PlainReader)
        short.plain_reader = chain.engine
        return dispatcher(short, call_gas_cap=CAP, **limits), dispatcher(general, call_gas_cap=CAP, **limits)

    chain.begin()
    chain.execute(chain.users[0].send(STORE, 5, words(7, 77)))
    return make


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def request(method: str, *params: object, request_id: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def both(ways: tuple[Dispatcher, Dispatcher], body: str) -> tuple[bytes | None, bytes]:
    """What the short way answers by itself, and what the general way does."""
    short, general = ways
    alone, expected = short.answer_now(short.read(body.encode())), asyncio.run(general.respond(body.encode()))
    assert asyncio.run(short.respond(body.encode())) == expected
    return alone, expected


USER = "0x" + "5e" * 20
PLAIN = {
    "an absent account": [request("eth_getBalance", USER, "latest")],
    "a balance": [request("eth_getBalance", hexed(STORE), "pending")],
    "a nonce": [request("eth_getTransactionCount", hexed(STORE), "latest")],
    "code": [request("eth_getCode", hexed(STORE), "latest")],
    "no code": [request("eth_getCode", USER, "latest")],
    "a slot": [request("eth_getStorageAt", hexed(STORE), hexed(word(7)), "latest")],
    "an empty slot": [request("eth_getStorageAt", hexed(STORE), hexed(word(8)), "pending")],
    "a call": [request("eth_call", {"to": hexed(LOAD), "data": hexed(word(7))}, "latest")],
    "a call by someone": [request("eth_call", {"from": USER, "to": hexed(CONTRACTS["CALLER"])}, "latest")],
    "a call with input": [request("eth_call", {"to": hexed(LOAD), "input": hexed(word(9))}, "pending")],
    "a call of nobody": [request("eth_call", {"to": USER, "data": "0x"}, "latest")],
    "a call that calls": [request("eth_call", {"to": hexed(CONTRACTS["STATIC_FORWARD"]), "data": hexed(
        bytes(12) + STORE + words(1, 2))}, "latest")],
    "signer recovery": [request("eth_call", {"to": "0x" + "00" * 19 + "01", "data": "0x" + "11" * 128}, "latest")],
    "a text id": [request("eth_getBalance", USER, "latest", request_id="a b")],
    "a null id": [request("eth_getBalance", USER, "latest", request_id=None)],
    "a large id": [request("eth_getBalance", USER, "latest", request_id=10**14)],
    "a batch": [request("eth_getBalance", hexed(each), "latest", request_id=n) for n, each in enumerate((STORE, LOAD))],
    "a batch of calls": [request("eth_call", {"to": hexed(LOAD), "data": hexed(word(7))}, "latest")] * 50,
}  # fmt: skip
LEFT = {
    "another block": [request("eth_getBalance", USER, "0x0")],
    "no block": [request("eth_getBalance", USER)],
    "the nonce with the pool's": [request("eth_getTransactionCount", USER, "pending")],
    "a bad address": [request("eth_getBalance", "0x5e", "latest")],
    "two prefixes": [request("eth_getBalance", "0x0x" + "5e" * 19, "latest")],
    "two prefixes before data": [request("eth_call", {"to": USER, "data": "0x0x11"}, "latest")],
    "too many arguments": [request("eth_getBalance", USER, "latest", 1)],
    "a short slot": [request("eth_getStorageAt", hexed(STORE), "0x7", "latest")],
    "creation": [request("eth_call", {"data": "0x00"}, "latest")],
    "data and input": [request("eth_call", {"to": USER, "data": "0x", "input": "0x11"}, "latest")],
    "value": [request("eth_call", {"to": USER, "value": "0x1"}, "latest")],
    "an override": [request("eth_call", {"to": USER}, "latest", {})],
    "a revert": [request("eth_call", {"to": hexed(CONTRACTS["LOG_AND_REVERT"])}, "latest")],
    "a halt": [request("eth_call", {"to": hexed(CONTRACTS["INVALID"])}, "latest")],
    "a loop": [request("eth_call", {"to": hexed(LOOP)}, "latest")],
    "a pairing": [request("eth_call", {"to": "0x" + "00" * 19 + "08", "data": "0x"}, "latest")],
    "an escaped id": [request("eth_getBalance", USER, "latest", request_id="\u00e9")],
    "a fraction": [request("eth_getBalance", USER, "latest", request_id=1.5)],
    "a huge id": [request("eth_getBalance", USER, "latest", request_id=2**70)],
    "two methods": [request("eth_getBalance", USER, "latest"), request("eth_getCode", USER, "latest")],
    "one call of many fails": [request("eth_call", {"to": hexed(each)}, "latest") for each in (LOAD, LOOP, LOAD)],
    "another method": [request("eth_blockNumber"), request("eth_blockNumber")],
    "too many": [request("eth_getBalance", USER, "latest")] * 101,
    "another version": [{**request("eth_getBalance", USER, "latest"), "jsonrpc": "1.0"}],
    "a stranger": [{**request("eth_getBalance", USER, "latest"), "more": 1}],
    "a notification": [{"jsonrpc": "2.0", "method": "eth_getBalance", "params": [USER, "latest"]}],
}


def body(requests: list[dict[str, object]]) -> str:
    return json.dumps(requests if len(requests) > 1 else requests[0])


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_read_is_answered_as_the_general_way_would(ways: Make, name: str) -> None:
    alone, expected = both(ways(), body(PLAIN[name]))
    assert alone == expected
    assert b'"result"' in expected


@pytest.mark.parametrize("name", LEFT)
def test_anything_else_is_left_to_the_general_way(ways: Make, name: str) -> None:
    alone, _ = both(ways(), body(LEFT[name]))
    assert alone is None


def test_a_batch_of_one_is_a_batch(ways: Make) -> None:
    alone, expected = both(ways(), json.dumps(PLAIN["a balance"]))
    assert alone == expected
    assert expected.startswith(b"[{")


@pytest.mark.parametrize(
    "limits", [{"batch_limit": 49}, {"batch_cost_limit": 499}, {"response_limit_bytes": 200}], ids=str
)
def test_limits_hold_on_the_short_way(ways: Make, limits: dict[str, int]) -> None:
    alone, expected = both(ways(**limits), body(PLAIN["a batch of calls"]))
    assert alone is None
    assert b'"error"' in expected


def test_a_sealed_latest_is_not_read_from_the_open_block(ways: Make) -> None:
    alone, expected = both(ways(preconfirmed_latest=False), body(PLAIN["a slot"]))
    assert alone is None
    assert json.loads(expected)["result"] == hexed(word(0))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet='{}[]":,0x5e1 \\\n', max_size=30), at=st.integers(0, 200), cut=st.integers(0, 12))
def test_a_body_with_any_damage_is_answered_alike(ways: Make, text: str, at: int, cut: int) -> None:
    whole = body(PLAIN["a call"])
    alone, expected = both(ways_of(ways), whole[:at] + text + whole[at + cut :])
    assert alone in (None, expected)


_made: dict[int, tuple[Dispatcher, Dispatcher]] = {}


def ways_of(ways: Make) -> tuple[Dispatcher, Dispatcher]:
    """One pair for all examples of a test: two dispatchers with their metrics take a while to make."""
    return _made.setdefault(id(ways), ways())
