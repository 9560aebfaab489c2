"""Which forks this engine really runs: each is asked to execute something that only it and its successors know."""

from typing import Final

from execution.evm.reference import transition
from execution.evm.reference.rules import RULES, Rules
from execution.evm.reference.state import StateTries, StateView
from execution.evm.reference.transition import Call, Checks
from execution.evm.reference.world import ExecutionContext, World
from sequencer.core.keccak import EMPTY_TRIE_ROOT
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address

_CODE_AT: Final = Address(b"\xc0" * 20)
_TRANSIENT: Final = bytes.fromhex("602a5f5d5f5c5f5260205ff3")
"""Returns 42 by way of transient storage (EIP-1153)."""
_ADD_POINTS: Final = bytes.fromhex("5f5f6101005f5f600b61fffff1503d5f5260205ff3")
"""Returns how much precompile 0x0b answers for the sum of two points: 128 bytes (EIP-2537), else nothing."""
_COUNT_ZEROS: Final = bytes.fromhex("60011e5f5260205ff3")
"""Returns 255 by the CLZ instruction (EIP-7939), which halts before Osaka."""


def supported_forks() -> tuple[str, ...]:
    """The forks whose probes answered as they must, in order of activation."""
    return tuple(fork for fork, rules in RULES.items() if _runs(rules))


def _runs(rules: Rules) -> bool:
    point_size = 128 if rules.has_set_code else 0
    return [_run(rules, code) for code in (_TRANSIENT, _ADD_POINTS, _COUNT_ZEROS)] == [42, point_size, None]


def _run(rules: Rules, code: bytes) -> int | None:
    """The word that the code returns, or None if it fails."""
    nodes: dict[bytes, bytes] = {}
    tries = StateTries(nodes.get, nodes.__setitem__)
    context = ExecutionContext(1, 1, 1, ZERO_ADDRESS, 10**7, 0, ZERO_HASH, 1)
    world = World(StateView(tries, EMPTY_TRIE_ROOT, lambda _number: ZERO_HASH), context, rules.precompiles)
    world.set_code(_CODE_AT, code)
    world.forget_undo()
    call = Call(2, None, ZERO_ADDRESS, 0, 0, 0, 10**6, _CODE_AT, 0, b"", (), (), (), 0, b"")
    done = transition.execute(world, rules, call, 10**6, Checks.FEES_IF_ANY)
    return int.from_bytes(done.output, "big") if done.succeeded else None
