"""Which sender recovery suits an engine: the native one takes its own transactions, decoded in Rust."""

from importlib import import_module

from mempool.admission import PythonRecovery
from sequencer.core.ports import ExecutionEngine, SenderRecovery


def sender_recovery(engine: ExecutionEngine) -> SenderRecovery:
    """The recovery whose transactions ``engine`` executes without decoding them again."""
    if engine.name == "native":
        recovery: SenderRecovery = import_module("execution.evm.native.recovery").NativeRecovery()
        return recovery
    return PythonRecovery()
