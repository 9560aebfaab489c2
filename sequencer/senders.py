"""Which way in suits an engine: the native one takes its own transactions, decoded in Rust, and reads requests."""

from importlib import import_module

from mempool.admission import PythonRecovery
from sequencer.core.ports import ExecutionEngine, SenderRecovery
from sequencer.core.sends import SendReaderFactory


def sender_recovery(engine: ExecutionEngine) -> SenderRecovery:
    """The recovery whose transactions ``engine`` executes without decoding them again."""
    if engine.name == "native":
        recovery: SenderRecovery = import_module("execution.evm.native.recovery").NativeRecovery()
        return recovery
    return PythonRecovery()


def send_reader(engine: ExecutionEngine) -> SendReaderFactory | None:
    """How to read plain sends, if the engine brings that."""
    if engine.name == "native":
        factory: SendReaderFactory = import_module("execution.evm.native.ingress").NativeSendReader
        return factory
    return None
