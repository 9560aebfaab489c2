"""geth's log of instructions, which ``debug_trace*`` answers with when no tracer is named.

An instruction is written down in the order in which it begins, when what it costs is known: a call when the frame it
makes begins, any other when it is done.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson
from eth.abc import ComputationAPI

from execution.evm.reference import halts
from execution.evm.reference.mnemonics import MNEMONICS
from execution.evm.reference.transition import Execution
from execution.evm.reference.watched import WatchedWorld
from execution.evm.reference.watcher import Allowance, Frame, Watcher
from sequencer.core.encoding import data

_SLOAD: Final = 0x54
_SSTORE: Final = 0x55


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of an instruction is written down. A ``limit`` of zero is none."""

    stack: bool = True
    memory: bool = False
    storage: bool = True
    return_data: bool = False
    limit: int = 0


@dataclass(slots=True)
class _Step:
    """The instruction that runs."""

    fields: dict[str, Any]
    gas: int
    slot: int | None


class InstructionTrace(Watcher):
    """Writes down every instruction, within an allowance for the text."""

    every_instruction = True

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._written: list[bytes] = []
        self._step: _Step | None = None
        self._slots: dict[bytes, dict[str, str]] = {}
        self._refunds: list[int] = []
        self._allowance = Allowance()

    def begin(self, computation: ComputationAPI, opcode: int) -> None:
        limit, depth = self._wanted.limit, computation.msg.depth
        if limit and len(self._written) >= limit:
            return
        inner: Any = computation
        gas, refunded = inner._gas_meter.gas_remaining, inner._gas_meter.gas_refunded  # noqa: SLF001
        stack = inner._stack.values  # noqa: SLF001
        # The refund counter is the transaction's: what callers have, and what this frame adds to it.
        self._refunds[depth:] = [refunded]
        fields: dict[str, Any] = {
            "pc": computation.code.program_counter - 1,
            "op": MNEMONICS.get(opcode, f"opcode {opcode:#x} not defined"),
            "gas": gas,
            "gasCost": 0,
            "depth": depth + 1,
            "refund": sum(self._refunds),
        }
        if self._wanted.stack:
            fields["stack"] = [hex(each if isinstance(each, int) else int.from_bytes(each, "big")) for each in stack]
        if self._wanted.memory:
            memory = bytes(inner._memory._bytes)  # noqa: SLF001
            fields["memory"] = [data(memory[at : at + 32]) for at in range(0, len(memory), 32)]
        if self._wanted.return_data:
            fields["returnData"] = data(computation.return_data)
        slot = None
        if self._wanted.storage and opcode in (_SLOAD, _SSTORE):
            slot = stack[-1] if stack else None
        self._step = _Step(fields, gas, slot if slot is None or isinstance(slot, int) else int.from_bytes(slot, "big"))

    def enter(self, frame: Frame, gas_left: int) -> None:  # noqa: ARG002
        self._write(gas_left)

    def end(self, computation: ComputationAPI, error: str) -> None:
        step = self._step
        if step is None:
            return
        if error:
            step.fields["error"] = error
        if step.slot is not None:
            account = computation.msg.storage_address
            slots = self._slots.setdefault(account, {})
            if not error:
                slots[_word(step.slot)] = _word(computation.state.get_storage(account, step.slot))
            step.fields["storage"] = dict(sorted(slots.items()))
        # What could not be paid in full took all there was.
        self._write(0 if error == halts.OUT_OF_GAS else computation.get_gas_meter().gas_remaining)

    def _write(self, gas_left: int) -> None:
        step, self._step = self._step, None
        if step is not None:
            step.fields["gasCost"] = step.gas - gas_left
            text = orjson.dumps(step.fields)
            self._allowance.take(len(text))
            self._written.append(text)

    def text(self, done: Execution, gas_limit: int, world: WatchedWorld) -> str:  # noqa: ARG002
        """The log, and what came of it."""
        whole = {"failed": not done.succeeded, "gas": done.gas_used, "returnValue": data(done.output)}
        return orjson.dumps(whole).decode()[:-1] + ',"structLogs":[' + b",".join(self._written).decode() + "]}"


def _word(value: int) -> str:
    return data(value.to_bytes(32, "big"))
