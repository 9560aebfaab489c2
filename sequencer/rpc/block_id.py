"""Which block a caller means: a number, a tag, or a hash (EIP-1898).

Tags follow the finality of a rollup: ``pending`` is the pre-confirmed state of the open block, ``latest``
the newest sealed block, ``safe`` and ``finalized`` what is on the data-availability layer, ``earliest``
genesis.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from sequencer.core import encoding
from sequencer.core.errors import Malformed
from sequencer.core.heads import Heads
from sequencer.core.ports import StateAt
from sequencer.core.types import Hash32
from sequencer.rpc.backend import Backend
from sequencer.rpc.errors import Errors, RpcError
from sequencer.rpc.params import boolean, members, quantity


class Tag(StrEnum):
    """The named blocks."""

    EARLIEST = "earliest"
    FINALIZED = "finalized"
    SAFE = "safe"
    LATEST = "latest"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class ByHash:
    """A block by hash; this chain keeps canonical blocks only, so ``requireCanonical`` always holds."""

    hash: Hash32


BlockId: TypeAlias = int | Tag | ByHash

_TAGS: Final = {tag.value: tag for tag in Tag}


def block_number_or_tag(value: object) -> int | Tag:
    """``"latest"`` and its like, or a quantity."""
    tag = _TAGS.get(value) if isinstance(value, str) else None
    return quantity(value) if tag is None else tag


def block_id(value: object) -> BlockId:
    """Anything that names a block: tag, quantity, 32-byte hash, or an EIP-1898 object."""
    if isinstance(value, dict):
        return _eip1898(value)
    if isinstance(value, str) and len(value) == 66:
        return ByHash(encoding.parse_hash(value))
    return block_number_or_tag(value)


def _eip1898(value: dict[str, object]) -> BlockId:
    fields = members(value)
    if "requireCanonical" in fields:
        boolean(fields["requireCanonical"])
    if "blockHash" in fields:
        if "blockNumber" in fields:
            raise Malformed("cannot specify both BlockHash and BlockNumber, choose one or the other")
        return ByHash(encoding.parse_hash(fields["blockHash"]))
    if "blockNumber" in fields:
        return block_number_or_tag(fields["blockNumber"])
    raise Malformed("expected a block number, tag or hash")


def sealed_number(heads: Heads, block: int | Tag) -> int:
    """The number that a tag stands for among sealed blocks, ``pending`` taken as ``latest``."""
    match block:
        case Tag.EARLIEST:
            return 0
        case Tag.FINALIZED:
            return heads.finalized.number
        case Tag.SAFE:
            return heads.safe.number
        case Tag.LATEST | Tag.PENDING:
            return heads.unsafe.number
        case _:
            return block


def find(backend: Backend, block: BlockId) -> StateAt | None:
    """The sealed block's number, ``"pending"``, or None for a block that does not exist."""
    if isinstance(block, ByHash):
        return backend.block_number(block.hash)
    if block is Tag.PENDING:
        return "pending"
    number = sealed_number(backend.heads, block)
    return number if number <= backend.heads.unsafe.number else None


def state_at(backend: Backend, block: BlockId) -> StateAt:
    """As ``find``, for reads of state. Raises ``RpcError`` with geth's words for a block that does not exist."""
    at = find(backend, block)
    if at is None:
        raise RpcError(Errors.SERVER, "header for hash not found" if isinstance(block, ByHash) else "header not found")
    return at
