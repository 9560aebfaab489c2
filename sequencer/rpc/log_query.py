"""The filter object of ``eth_getLogs``, ``eth_newFilter`` and the ``logs`` subscription.

::

    {"fromBlock"?: block, "toBlock"?: block, "address"?: address or [address], "topics"?: [null | topic | [topic]]}
    {"blockHash": hash, "address"?: ..., "topics"?: ...}
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sequencer.core import encoding
from sequencer.core.errors import Malformed
from sequencer.core.receipt import Log
from sequencer.core.types import Address, Hash32
from sequencer.rpc.block_id import Tag, block_number_or_tag
from sequencer.rpc.errors import invalid_params
from sequencer.rpc.params import members

TOPICS_LIMIT = 4
ALTERNATIVES_LIMIT = 1_000
"""Addresses, or topics at one place (geth's ``rpc.logquerylimit``)."""


@dataclass(frozen=True, slots=True)
class LogMatch:
    """Which logs: one of the addresses, and one of the alternatives at each topic's place; empty means any."""

    addresses: tuple[Address, ...] = ()
    topics: tuple[tuple[Hash32, ...], ...] = ()

    def matches(self, log: Log) -> bool:
        """``log`` is wanted."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(log.topics) < len(self.topics):
            return False
        return all(not wanted or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False))


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Where to look and what for. Either ``block_hash`` or a range; a bound left out is None."""

    match: LogMatch
    from_block: int | Tag | None = None
    to_block: int | Tag | None = None
    block_hash: Hash32 | None = None

    def check(self) -> None:
        """Raises ``RpcError`` if the filter contradicts itself."""
        start, stop = self.from_block, self.to_block
        if Tag.PENDING in (start, stop):
            raise invalid_params("pending logs are not supported")
        if type(start) is int and type(stop) is int and start > stop:
            raise invalid_params("invalid block range params")


def log_query(value: object) -> LogQuery:
    """The parsed filter. Raises ``Malformed``."""
    fields = members(value)
    start, stop = fields.get("fromBlock"), fields.get("toBlock")
    block_hash = fields.get("blockHash")
    if block_hash is not None and (start is not None or stop is not None):
        raise Malformed("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
    return LogQuery(
        match=log_match(fields),
        from_block=None if start is None else block_number_or_tag(start),
        to_block=None if stop is None else block_number_or_tag(stop),
        block_hash=None if block_hash is None else encoding.parse_hash(block_hash),
    )


def log_match(fields: dict[str, object]) -> LogMatch:
    """The addresses and topics of a filter's members."""
    topics = fields.get("topics", [])
    if not isinstance(topics, list):
        raise Malformed("invalid topics: expected an array")
    if len(topics) > TOPICS_LIMIT:
        raise Malformed("exceed max topics")
    return LogMatch(_addresses(fields.get("address")), tuple(_alternatives(topic) for topic in topics))


def _addresses(value: object) -> tuple[Address, ...]:
    if value is None:
        return ()
    items: Sequence[object] = value if isinstance(value, list) else [value]
    _limit(items)
    return tuple(dict.fromkeys(encoding.parse_address(item) for item in items))


def _alternatives(value: object) -> tuple[Hash32, ...]:
    if value is None:
        return ()
    items: Sequence[object] = value if isinstance(value, list) else [value]
    _limit(items)
    # A null among the alternatives matches anything, and so does the whole place.
    return () if None in items else tuple(dict.fromkeys(encoding.parse_hash(item) for item in items))


def _limit(items: Sequence[object]) -> None:
    if len(items) > ALTERNATIVES_LIMIT:
        raise Malformed("exceed max addresses or topics per search position")
