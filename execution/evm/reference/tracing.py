"""``debug_trace*``: executions of calls and of sealed transactions, told in geth's shapes.

Options are geth's: ``tracer`` is ``callTracer`` or ``prestateTracer`` (with ``tracerConfig``), or absent for the log
of every instruction. A trace is JSON text, which the caller passes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from execution.evm.reference import calls, transition
from execution.evm.reference.call_trace import CallTrace
from execution.evm.reference.calls import Surroundings
from execution.evm.reference.instruction_trace import InstructionTrace, Wanted
from execution.evm.reference.state_trace import StateTrace
from execution.evm.reference.system_calls import BlockStart, begin_block
from execution.evm.reference.transition import Call
from execution.evm.reference.watched import WatchedWorld, watched
from sequencer.core.calls import CallRequest
from sequencer.core.errors import Reason, Rejected
from sequencer.core.types import UINT64_MAX

Tracer = CallTrace | StateTrace | InstructionTrace


def trace_call(request: CallRequest, around: Surroundings, gas_cap: int, options: Mapping[str, object]) -> str:
    """The trace of a call that keeps nothing. Raises ``Rejected`` as ``eth_call`` does."""
    tracer, limit = _tracer(options), calls.gas_limit(request, gas_cap)
    world = calls.new_world(WatchedWorld, request, around)
    world.watch(tracer)
    done = calls.execute_in(world, request, replace(around, rules=watched(around.rules, tracer)), limit)
    return tracer.text(done, limit, world)


def trace_block(
    around: Surroundings, start: BlockStart, transactions: Sequence[Call], first: int, options: Mapping[str, object]
) -> list[str]:
    """The traces of ``transactions`` from the one at ``first`` on, executed on the state before their block."""
    _tracer(options)
    world = WatchedWorld(around.source, around.context, around.rules.precompiles)
    begin_block(world, around.rules, start)
    traces = []
    for position, call in enumerate(transactions):
        if position < first:
            transition.execute(world, around.rules, call, UINT64_MAX)
            continue
        tracer = _tracer(options)
        world.watch(tracer)
        done = transition.execute(world, watched(around.rules, tracer), call, UINT64_MAX)
        traces.append(tracer.text(done, call.gas_limit, world))
    return traces


def _tracer(options: Mapping[str, object]) -> Tracer:
    name, config = options.get("tracer"), options.get("tracerConfig") or {}
    if not isinstance(config, Mapping):
        raise _malformed("tracer config: expected an object")
    if name is None:
        return InstructionTrace(
            Wanted(
                stack=not _flag(options, "disableStack"),
                storage=not _flag(options, "disableStorage"),
                memory=_flag(options, "enableMemory"),
                return_data=_flag(options, "enableReturnData"),
                limit=_number(options, "limit"),
            )
        )
    if name == "callTracer":
        return CallTrace(only_top_call=_flag(config, "onlyTopCall"), with_log=_flag(config, "withLog"))
    if name == "prestateTracer":
        return StateTrace(
            differences=_flag(config, "diffMode"),
            with_code=not _flag(config, "disableCode"),
            with_storage=not _flag(config, "disableStorage"),
        )
    raise _malformed("this tracer is not there")


def _flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name)
    if value is not None and not isinstance(value, bool):
        raise _malformed(f"{name}: expected true or false")
    return bool(value)


def _number(options: Mapping[str, Any], name: str) -> int:
    value = options.get(name)
    if value is not None and (type(value) is not int or not 0 <= value <= UINT64_MAX):
        raise _malformed(f"{name}: expected a number")
    return value or 0


def _malformed(detail: str) -> Rejected:
    return Rejected(Reason.MALFORMED, detail)
