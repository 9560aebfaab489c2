"""The places where the interpreter under the reference rules is not py-evm's own."""

import gc
import weakref

import pytest

from execution.evm.reference import calls, probe
from execution.evm.reference.calls import Surroundings
from execution.evm.reference.read_worker import with_deep_stack
from execution.evm.reference.rules import RULES
from execution.evm.reference.state import StateTries, StateView
from execution.evm.reference.world import ExecutionContext
from sequencer.core.calls import AccountOverride, CallRequest, CallResult
from sequencer.core.keccak import EMPTY_TRIE_ROOT
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address
from tests.conformance.execution.bytecode import words

CODE_AT = Address(b"\xc0" * 20)


def run(code: bytes, data: bytes = b"", to: Address = CODE_AT, fork: str = "prague") -> CallResult:
    """Call ``code`` in an empty state."""
    nodes: dict[bytes, bytes] = {}
    view = StateView(StateTries(nodes.get, nodes.__setitem__), EMPTY_TRIE_ROOT, lambda _number: ZERO_HASH)
    context = ExecutionContext(1, 1, 1, ZERO_ADDRESS, 10**9, 7, ZERO_HASH, 1)
    overrides = {CODE_AT: AccountOverride(code=code)}
    return calls.call(
        CallRequest(to=to, data=data, overrides=overrides), Surroundings(view, context, RULES[fork]), 10**8
    )


def test_the_probe_finds_exactly_the_forks_there_are_rules_for() -> None:
    assert probe.supported_forks() == ("cancun", "prague")


@pytest.mark.parametrize(
    ("base", "exponent", "modulus", "expected"),
    [
        (b"", b"", b"\5", b"\1"),
        (b"", b"\3", b"\5", b"\0"),
        (b"\3", b"", b"\5", b"\1"),
        (b"\3", b"\2", b"\5", b"\4"),
        (b"\3", b"\2", b"\0\0", b"\0\0"),
        (b"\3", b"\2", b"\1", b"\0"),
        (b"\3", b"\2", b"", b""),
        (b"", b"", b"", b""),
    ],
)
def test_modexp_of_empty_operands(base: bytes, exponent: bytes, modulus: bytes, expected: bytes) -> None:
    """EIP-198: an operand without bytes is zero, and a power with exponent zero is one."""
    data = words(len(base), len(exponent), len(modulus)) + base + exponent + modulus
    assert run(b"", data, to=Address(bytes(19) + b"\x05")).output == expected


def test_a_jump_over_a_desert_of_push_bytes() -> None:
    """Each of these bytes is an instruction or an operand depending on all bytes before it."""
    desert = b"\x60" * 20_000
    target = 4 + len(desert)
    jump = bytes.fromhex(f"61{target:04x}56")
    landed = bytes.fromhex("5b60015f5260205ff3")
    assert run(jump + desert + landed).output == words(1)
    assert run(bytes.fromhex(f"61{target + 1:04x}56") + b"\x60" + desert + landed).halt == "invalid jump destination"


def test_a_finished_call_is_let_go_before_the_transaction_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a transaction could make the engine keep the memory of a hundred thousand calls."""
    interpreter = RULES["prague"].interpreter
    alive: list[weakref.ref[object]] = []
    most = 0
    begin = interpreter.run

    def counted(self: object) -> None:
        nonlocal most
        alive.append(weakref.ref(self))
        most = max(most, sum(one() is not None for one in alive))
        begin(self)  # type: ignore[arg-type]

    monkeypatch.setattr(interpreter, "run", counted)
    call_address_two = "5f5f5f5f5f73" + "c1" * 20 + "5af150"
    gc.disable()
    try:
        run(bytes.fromhex(call_address_two * 50))
    finally:
        gc.enable()
    assert len(alive) == 51
    assert most <= 3


def test_the_deepest_call_is_the_1024th() -> None:
    """Storage slot 0 counts how deep a contract that calls itself got, up to the limit of the Yellow Paper."""
    count_and_recurse = bytes.fromhex("5f54600101805f555f5260205f5f5f5f5f305af1505f545f5260205ff3")
    results: list[CallResult] = []
    nodes: dict[bytes, bytes] = {}
    view = StateView(StateTries(nodes.get, nodes.__setitem__), EMPTY_TRIE_ROOT, lambda _number: ZERO_HASH)
    context = ExecutionContext(1, 1, 1, ZERO_ADDRESS, 10**15, 7, ZERO_HASH, 1)
    around = Surroundings(view, context, RULES["prague"])
    request = CallRequest(to=CODE_AT, overrides={CODE_AT: AccountOverride(code=count_and_recurse)})
    with_deep_stack(lambda: results.append(calls.call(request, around, 10**15))).join()
    assert results[0].output == words(1025)


def test_selfdestruct_says_nothing_to_the_operator() -> None:
    """py-evm warns of deprecation at each one; warnings are errors here."""
    assert run(bytes.fromhex("33ff")).succeeded
    assert run(bytes.fromhex("33ff"), fork="cancun").succeeded
