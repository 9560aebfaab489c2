"""The world and the interpreters that tell a ``Watcher`` what happens, beside those that have nobody to tell.

A call or creation that is refused before it begins (too deep, not enough funds, address taken) is a frame all the
same, as in geth. py-evm makes no message of it, so the instruction that asked for it tells of it here.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

from eth.abc import ComputationAPI, MessageAPI, StateAPI, TransactionContextAPI
from eth.exceptions import FullStack as PyEvmFullStack
from eth.exceptions import Halt, Revert, VMError
from eth.exceptions import InsufficientStack as PyEvmInsufficientStack

from execution.evm.reference import halts
from execution.evm.reference.computation import (
    MAX_DEPTH,
    CancunInterpreter,
    Corrections,
    PragueInterpreter,
    StackOverflow,
    StackUnderflow,
)
from execution.evm.reference.rules import Rules
from execution.evm.reference.watcher import CREATIONS, Frame, FrameEnd, Watcher
from execution.evm.reference.world import Account, World
from sequencer.core.receipt import Log
from sequencer.core.types import UINT64_MAX

_KINDS: Final = {
    0xF0: "CREATE",
    0xF1: "CALL",
    0xF2: "CALLCODE",
    0xF4: "DELEGATECALL",
    0xF5: "CREATE2",
    0xFA: "STATICCALL",
}
_DELEGATING: Final = frozenset({"CALLCODE", "DELEGATECALL"})
_SELFDESTRUCT: Final = 0xFF


class WatchedWorld(World):
    """Notes the accounts and slots that a transaction asks for, as it found them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.watch(Watcher())

    def watch(self, watcher: Watcher) -> None:
        """From now on tell ``watcher``, and note anew. Between transactions."""
        self.watcher = watcher
        self.accounts_before: dict[bytes, Account | None] = {}
        self.slots_before: dict[bytes, dict[int, int]] = {}
        self.made: frozenset[bytes] = frozenset()
        self.gone: frozenset[bytes] = frozenset()
        """Contracts that the last transaction made, and those that it destroyed."""

    def peek(self, address: bytes) -> Account | None:
        account = super().peek(address)
        self.accounts_before.setdefault(address, account)
        return account

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        value = super().get_storage(address, slot, from_journal)
        self.slots_before.setdefault(address, {}).setdefault(slot, value)
        return value

    def add_log(self, log: Log) -> None:
        super().add_log(log)
        self.watcher.log(log)

    def finish_transaction(self) -> tuple[Log, ...]:
        self.made, self.gone = frozenset(self.created), frozenset(self.destroyed)
        return super().finish_transaction()


class _Watched(Corrections):
    """Tells of frames."""

    calling: int | None = None
    """The opcode of the call or creation that is being made, until its frame begins."""
    asked: tuple[Any, ...] = ()
    """Its operands, the top of the stack first."""
    moved_gas = 0
    """What the frame last paid or got back: for a refused frame, the gas that it would have had."""

    @property
    def watcher(self) -> Watcher:
        return cast("WatchedWorld", self.state).watcher

    def run(self) -> None:
        """Execute the code to its end; where there is none, there is nothing to tell of."""
        if self.msg.code or self.msg.is_create:
            super().run()

    def consume_gas(self, amount: int, reason: str) -> None:
        self.moved_gas = amount
        super().consume_gas(amount, reason)

    def return_gas(self, amount: int) -> None:
        self.moved_gas = amount
        super().return_gas(amount)

    @classmethod
    def apply_message(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        if message.is_create:  # its frame is told of below, where its end is
            return super().apply_message(state, message, transaction_context, parent_computation)
        return _told(super().apply_message, state, message, transaction_context, parent_computation)

    @classmethod
    def apply_create_message(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        cls.check_init_code(message)
        return _told(super().apply_create_message, state, message, transaction_context, parent_computation)

    @classmethod
    def collided(
        cls, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI
    ) -> ComputationAPI:
        computation = super().collided(state, message, transaction_context)
        _enter(state, message, None).leave(_end(computation))
        return computation

    def refused(self) -> None:
        """Tell of the frame that did not come to be."""
        opcode, self.calling = cast("int", self.calling), None
        kind, asked = _KINDS[opcode], [_integer(item) for item in self.asked]
        account = self.msg.storage_address
        if kind in CREATIONS:
            value, start, size = asked[:3]
            to, halt = b"", self._why_no_contract(value)
            taken = halt == _TAKEN
            gas = self.moved_gas if taken else self.get_gas_remaining() - self.get_gas_remaining() // 64
            gas_left = self.get_gas_remaining() - (0 if taken else gas)
            end = FrameEnd(0 if taken else gas, b"", halt=halt)
        else:
            to, gas = _address(asked[1]), self.moved_gas
            has_value = kind in ("CALL", "CALLCODE")
            value = asked[2] if has_value else self.msg.value if kind == "DELEGATECALL" else 0
            start, size = asked[3:5] if has_value else asked[2:4]
            gas_left = self.get_gas_remaining() - gas
            end = FrameEnd(gas, b"", halt=_TOO_DEEP if self.msg.depth >= MAX_DEPTH else _TOO_POOR)
        data = self.memory_read_bytes(start, size)
        self.watcher.enter(Frame(kind, account, to, account if kind in _DELEGATING else to, value, gas, data), gas_left)
        self.watcher.leave(end)

    def _why_no_contract(self, value: int) -> str:
        if self.msg.depth >= MAX_DEPTH:
            return _TOO_DEEP
        if self.state.get_balance(self.msg.storage_address) < value:
            return _TOO_POOR
        return _NONCE_SPENT if self.state.get_nonce(self.msg.storage_address) == UINT64_MAX else _TAKEN


_TOO_DEEP: Final = "max call depth exceeded"
_TOO_POOR: Final = "insufficient balance for transfer"
_NONCE_SPENT: Final = "nonce uint64 overflow"
_TAKEN: Final = "contract address collision"


def _told(
    run: Callable[..., ComputationAPI],
    state: StateAPI,
    message: MessageAPI,
    transaction_context: TransactionContextAPI,
    caller: ComputationAPI | None,
) -> ComputationAPI:
    """What ``run`` does with the message, as a frame of its own."""
    watcher = _enter(state, message, caller)
    computation = run(state, message, transaction_context, caller)
    watcher.leave(_end(computation))
    return computation


def _enter(state: StateAPI, message: MessageAPI, caller: ComputationAPI | None) -> Watcher:
    watcher = cast("WatchedWorld", state).watcher
    kind: str = "CREATE" if message.is_create else "CALL"
    to: bytes = message.storage_address
    gas_left = 0
    if caller is not None:
        calling = cast("_Watched", caller)
        kind, calling.calling = _KINDS[cast("int", calling.calling)], None
        to = _address(_integer(calling.asked[1])) if kind in _DELEGATING else to
        gas_left = caller.get_gas_remaining()
    sender = message.storage_address if kind in _DELEGATING else message.sender
    data = message.code if message.is_create else message.data_as_bytes
    frame = Frame(kind, sender, to, message.storage_address, message.value, message.gas, data)
    watcher.enter(frame, gas_left)
    return watcher


def _end(computation: ComputationAPI) -> FrameEnd:
    error, gas_left = cast("VMError | None", getattr(computation, "_error")), computation.get_gas_remaining()  # noqa: B009
    if error is None:
        return FrameEnd(gas_left, computation.output)
    if isinstance(error, Revert):
        return FrameEnd(gas_left, computation.output, reverted=True)
    return FrameEnd(0, b"", halt=halts.describe(error, computation.msg.code, computation.code.program_counter))


def _integer(item: int | bytes) -> int:
    """A stack item as py-evm keeps it."""
    return item if isinstance(item, int) else int.from_bytes(item, "big")


def _address(word: int) -> bytes:
    return (word & (1 << 160) - 1).to_bytes(20, "big")


_Instruction = Callable[[Any], None]


def _calling(opcode: int, instruction: _Instruction) -> _Instruction:
    def call(computation: _Watched) -> None:
        stack = computation._stack.values  # type: ignore[attr-defined]  # noqa: SLF001
        computation.calling, computation.asked = opcode, tuple(stack[:-8:-1])
        instruction(computation)
        if computation.calling is not None:
            computation.refused()

    return call


def _destroying(instruction: _Instruction) -> _Instruction:
    def destroy(computation: _Watched) -> None:
        account, stack = computation.msg.storage_address, computation._stack.values  # type: ignore[attr-defined]  # noqa: SLF001
        beneficiary = _address(_integer(stack[-1])) if stack else b""
        balance = computation.state.get_balance(account)
        try:
            instruction(computation)
        except Halt:
            computation.watcher.destroy(account, beneficiary, balance)
            raise

    return destroy


def _stepping(opcode: int, instruction: _Instruction) -> _Instruction:
    def step(computation: _Watched) -> None:
        watcher, depth = computation.watcher, len(computation._stack.values)  # type: ignore[attr-defined]  # noqa: SLF001
        watcher.begin(computation, opcode)
        error = ""
        try:
            instruction(computation)
        except (Halt, Revert):
            raise
        except PyEvmInsufficientStack:
            error = _words(StackUnderflow(depth, opcode), computation)
            raise
        except PyEvmFullStack:
            error = _words(StackOverflow(depth), computation)
            raise
        except VMError as failure:
            error = _words(failure, computation)
            raise
        finally:
            watcher.end(computation, error)

    return step


def _words(error: VMError, computation: ComputationAPI) -> str:
    return halts.describe(error, computation.msg.code, computation.code.program_counter)


def _telling(opcodes: list[_Instruction]) -> list[_Instruction]:
    told = [_calling(opcode, each) if opcode in _KINDS else each for opcode, each in enumerate(opcodes)]
    told[_SELFDESTRUCT] = _destroying(opcodes[_SELFDESTRUCT])
    return told


def _telling_all(opcodes: list[_Instruction]) -> list[_Instruction]:
    return [_stepping(opcode, each) for opcode, each in enumerate(_telling(opcodes))]


class _WatchedCancun(_Watched, CancunInterpreter):
    opcodes: Any = _telling(CancunInterpreter.opcodes)


class _SteppedCancun(_Watched, CancunInterpreter):
    opcodes: Any = _telling_all(CancunInterpreter.opcodes)


class _WatchedPrague(_Watched, PragueInterpreter):
    opcodes: Any = _telling(PragueInterpreter.opcodes)


class _SteppedPrague(_Watched, PragueInterpreter):
    opcodes: Any = _telling_all(PragueInterpreter.opcodes)


_WATCHED: Final = {CancunInterpreter: _WatchedCancun, PragueInterpreter: _WatchedPrague}
_STEPPED: Final = {CancunInterpreter: _SteppedCancun, PragueInterpreter: _SteppedPrague}


def watched(rules: Rules, watcher: Watcher) -> Rules:
    """The same rules, for a ``WatchedWorld``."""
    interpreters: Any = _STEPPED if watcher.every_instruction else _WATCHED
    return replace(rules, interpreter=interpreters[rules.interpreter])
