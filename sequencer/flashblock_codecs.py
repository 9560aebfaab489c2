"""Which flashblock codec suits an engine: where there is the native one, there is the extension."""

from importlib import import_module

from sequencer.core.flashblock_codec import PythonFlashblockCodec
from sequencer.core.ports import ExecutionEngine, FlashblockCodec


def flashblock_codec(engine: ExecutionEngine) -> FlashblockCodec:
    """The fastest one that is there."""
    if engine.name == "native":
        codec: FlashblockCodec = import_module("execution.evm.native.flashblock_codec").NativeFlashblockCodec()
        return codec
    return PythonFlashblockCodec()
