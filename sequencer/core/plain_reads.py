"""The port between the JSON-RPC server and an engine that reads requests: plain reads, answered in one crossing.

A *plain read* is a JSON-RPC body that asks for something small of the pre-confirmed state, one call or a batch of one
method's: ``eth_getBalance``, ``eth_getTransactionCount``, ``eth_getCode``, ``eth_getStorageAt``, ``eth_call``, at
``latest`` or ``pending``. Handing such a call to a thread and back takes longer than answering it, and so does parsing
it anywhere but where it is answered. An engine without these methods is fine: then every read goes the general way,
which also decides whatever is declined here.
"""

from typing import Protocol, runtime_checkable


class PlainReads(Protocol):
    """The calls of one body."""

    @property
    def method(self) -> str:
        """The name of their method."""
        ...

    def __len__(self) -> int: ...


@runtime_checkable
class PlainReader(Protocol):
    """What an engine may offer besides ``ExecutionEngine``, for the event loop itself."""

    def plain_reads(self, body: bytes, batch_limit: int) -> PlainReads | None:
        """The calls in ``body``, or None for anything else. Never raises for what the bytes hold, and takes nothing
        that the general way would read in any other way."""
        ...

    def answer_plain(self, reads: PlainReads, gas_cap: int, budget_s: float, limit_bytes: int) -> bytes | None:
        """The encoded response. None where a call fails, is not over within some ten thousand instructions, or where
        all of it takes longer than ``budget_s`` or more than ``limit_bytes``."""
        ...
