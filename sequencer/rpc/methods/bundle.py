"""``eth_sendBundle``: transactions that are placed together, in their order, or not at all.

::

    {"txs": [raw, ...],                        in order; 1 to the node's limit
     "blockNumber": q,                         the one block it may stand in, or
     "minBlockNumber": q, "maxBlockNumber": q, the first and the last one; without any, whichever comes
     "minTimestamp": q, "maxTimestamp": q,     unix seconds, of the block
     "revertingTxHashes": [hash, ...]}         transactions that may fail without undoing the bundle

The answer is ``{"bundleHash"}``: keccak256 of the transactions' hashes put together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sequencer.core.encoding import data, parse_data, parse_hash
from sequencer.core.errors import Malformed
from sequencer.core.types import UINT64_MAX, Hash32
from sequencer.rpc import params
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods.method import Kind, Method
from sequencer.rpc.methods.ordering import desk
from sequencer.rpc.params import Parameter

_LIST_LIMIT: Final = 1_000
"""More than any node takes; the pool has the true limit."""
_MEMBERS: Final = frozenset(
    {
        "txs",
        "blockNumber",
        "minBlockNumber",
        "maxBlockNumber",
        "minTimestamp",
        "maxTimestamp",
        "revertingTxHashes",
    }
)


@dataclass(frozen=True, slots=True)
class BundleObject:
    """The parsed object; ranges include both ends."""

    raws: tuple[bytes, ...]
    blocks: tuple[int, int]
    times_s: tuple[int, int]
    may_revert: frozenset[Hash32]


def parse_bundle(value: object) -> BundleObject:
    """The object of the module's docstring. Raises ``Malformed``; what a bundle does not know is refused, because
    leaving a condition out would place it against its sender's will."""
    fields = params.members(value)
    if unknown := sorted(fields.keys() - _MEMBERS):
        raise Malformed(f"unknown member {unknown[0]}")
    if "txs" not in fields:
        raise Malformed("txs is missing")
    if "blockNumber" in fields:
        if fields.keys() & {"minBlockNumber", "maxBlockNumber"}:
            raise Malformed("blockNumber excludes minBlockNumber and maxBlockNumber")
        number = params.loose_integer(fields["blockNumber"])
        blocks = (number, number)
    else:
        blocks = _range(fields, "minBlockNumber", "maxBlockNumber")
    return BundleObject(
        tuple(_list(fields["txs"], parse_data)),
        blocks,
        _range(fields, "minTimestamp", "maxTimestamp"),
        frozenset(_list(fields.get("revertingTxHashes", []), parse_hash)),
    )


async def send_bundle(chain: ServedChain, bundle: BundleObject) -> dict[str, Any]:
    """Hand it in; it waits for a block that it may stand in."""
    place = desk(chain, "eth_sendBundle")
    bundle_hash = await place.submit_bundle(bundle.raws, bundle.blocks, bundle.times_s, bundle.may_revert)
    return {"bundleHash": data(bundle_hash)}


def _range(fields: dict[str, object], first: str, last: str) -> tuple[int, int]:
    return params.loose_integer(fields.get(first, 0)), params.loose_integer(fields.get(last, UINT64_MAX))


def _list(value: object, parse: Callable[[object], Any]) -> list[Any]:
    parsed = params.list_of(parse, _LIST_LIMIT)(value)
    if not isinstance(parsed, list):
        raise Malformed("expected an array")
    return parsed


METHODS = (Method("eth_sendBundle", send_bundle, (Parameter("bundle", parse_bundle),), Kind.SEND),)
