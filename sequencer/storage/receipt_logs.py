"""What a receipt that this node encoded itself holds, taken out at a twentieth of the cost of a strict decoder.

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


def summary_of(receipt: bytes) -> tuple[bool, int, bytes]:
    """Whether it succeeded, cumulative gas, and bloom of a stored receipt."""
    status, gas = body_of(receipt, body_of(receipt, 0 if receipt[0] >= 0xC0 else 1)[0])
    first, bloom = body_of(receipt, gas)
    return receipt[status:gas] == b"\x01", int.from_bytes(receipt[first:bloom], "big"), _bloom(receipt, bloom)


def logs_of(receipt: bytes) -> tuple[Log, ...]:
    """The logs of a stored receipt, in order."""
    at = 0 if receipt[0] >= 0xC0 else 1
    at = body_of(receipt, at)[0]
    at = body_of(receipt, at)[1]  # status
    at = body_of(receipt, at)[1] + _BLOOM_ITEM  # gas
    at, end = body_of(receipt, at)
    logs = []
    while at < end:
        inside, at = body_of(receipt, at)
        after_address = inside + _ADDRESS_ITEM
        topic, data = body_of(receipt, after_address)
        start, stop = body_of(receipt, data)
        topics = tuple(Hash32(receipt[begin + 1 : begin + _TOPIC_ITEM]) for begin in range(topic, data, _TOPIC_ITEM))
        logs.append(Log(Address(receipt[inside + 1 : after_address]), topics, receipt[start:stop]))
    return tuple(logs)


def _bloom(receipt: bytes, at: int) -> bytes:
    return receipt[at + 3 : at + _BLOOM_ITEM]


def body_of(encoded: bytes, at: int) -> tuple[int, int]:
    """Where the content of the item at ``at`` begins and ends, for strings and lists alike."""
    prefix = encoded[at]
    if prefix < 0x80:
        return at, at + 1
    short = prefix & 0x3F
    if short < 56:
        return at + 1, at + 1 + short
    start = at + short - 54
    return start, start + int.from_bytes(encoded[at + 1 : start], "big")
