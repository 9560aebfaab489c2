"""How transactions are ordered, and what senders can hold the sequencer to: ``sequencer_getReceived`` and
``sequencer_getFlashblocks``.

They exist for a chain whose backend has an ``OrderingDesk``; of a chain that only follows another's decisions
they are not available.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from sequencer.core.encoding import parse_hash
from sequencer.core.types import Hash32
from sequencer.rpc import params
from sequencer.rpc.backend import Backend
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.params import Parameter


class OrderingDesk(Protocol):
    """What the node that orders a chain tells about it. Answers are JSON objects."""

    def capability(self) -> dict[str, Any]: ...
    async def received(self, transaction_hash: Hash32) -> dict[str, Any] | None: ...
    def flashblocks(self, number: int) -> dict[str, Any] | None: ...
    async def submit_bundle(
        self,
        raws: Sequence[bytes],
        blocks: tuple[int, int],
        times_s: tuple[int, int],
        may_revert: frozenset[Hash32],
    ) -> Hash32: ...


@runtime_checkable
class HasOrderingDesk(Protocol):
    """A backend of a chain that this node orders."""

    @property
    def ordering(self) -> OrderingDesk: ...


def desk(chain: ServedChain, method: str) -> OrderingDesk:
    """The desk. Raises ``RpcError`` -32601 for ``method`` if this node does not order the chain."""
    backend: Backend = chain.backend
    if not isinstance(backend, HasOrderingDesk):
        raise RpcError(Errors.METHOD_NOT_FOUND, Errors.METHOD_NOT_FOUND.text.format(method=method))
    return backend.ordering


def capability(chain: ServedChain) -> dict[str, Any] | None:
    """The ``ordering`` member of ``sequencer_capabilities``; None if this node does not order the chain."""
    backend: Backend = chain.backend
    return backend.ordering.capability() if isinstance(backend, HasOrderingDesk) else None


async def received(chain: ServedChain, transaction_hash: Hash32) -> dict[str, Any] | None:
    """A signed receipt that the transaction is in the pool, with its number and time; null if it is not."""
    return await desk(chain, "sequencer_getReceived").received(transaction_hash)


def flashblocks(chain: ServedChain, number: int) -> dict[str, Any] | None:
    """The flashblocks of a recent block with raw transactions and arrival records; null for older blocks."""
    return desk(chain, "sequencer_getFlashblocks").flashblocks(number)


METHODS = (
    Method("sequencer_getReceived", received, (Parameter("transactionHash", parse_hash),), Kind.STATE),
    Method("sequencer_getFlashblocks", flashblocks, (Parameter("blockNumber", params.loose_integer),), Kind.BLOCK),
)
