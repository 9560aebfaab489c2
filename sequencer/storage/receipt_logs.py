"""The logs of a receipt that this node encoded itself, taken out at a twentieth of the cost of a strict decoder.

::

    [type] list( status  cumulativeGasUsed  bloom(256)  list( list( address(20)  list( topic(32) ... )  data ) ... ) )

What lies in the store was made by ``core.receipt.outcome``, so nothing is checked here but lengths followed.
"""

from typing import Final

from sequencer.core.receipt import Log
from sequencer.core.types import Address, Hash32

_BLOOM_ITEM: Final = 3 + 256
_ADDRESS_ITEM: Final = 1 + 20
_TOPIC_ITEM: Final = 1 + 32


def logs_of(receipt: bytes) -> tuple[Log, ...]:
    """The logs of a stored receipt, in order."""
    at = 0 if receipt[0] >= 0xC0 else 1
    at = _body(receipt, at)[0]
    at = _body(receipt, at)[1]  # status
    at = _body(receipt, at)[1] + _BLOOM_ITEM  # gas
    at, end = _body(receipt, at)
    logs = []
    while at < end:
        inside, at = _body(receipt, at)
        after_address = inside + _ADDRESS_ITEM
        topic, data = _body(receipt, after_address)
        start, stop = _body(receipt, data)
        topics = tuple(Hash32(receipt[begin + 1 : begin + _TOPIC_ITEM]) for begin in range(topic, data, _TOPIC_ITEM))
        logs.append(Log(Address(receipt[inside + 1 : after_address]), topics, receipt[start:stop]))
    return tuple(logs)


def _body(encoded: bytes, at: int) -> tuple[int, int]:
    """Where the content of the item at ``at`` begins and ends, for strings and lists alike."""
    prefix = encoded[at]
    if prefix < 0x80:
        return at, at + 1
    short = prefix & 0x3F
    if short < 56:
        return at + 1, at + 1 + short
    start = at + short - 54
    return start, start + int.from_bytes(encoded[at + 1 : start], "big")
