"""What a receipt says of its transaction, taken out of the stored bytes at a tenth of the cost of a strict decoder.

::

    type 0          list( nonce  gasPrice  gas  to ... )
    type 1          0x01 || list( chainId  nonce  gasPrice  gas  to ... )
    type 2, 3, 4    0x0t || list( chainId  nonce  maxPriorityFee  maxFee  gas  to ... )

What lies in the store was decoded strictly when it came in, so only lengths are followed here.
"""

from typing import NamedTuple

from sequencer.core.types import Address
from sequencer.storage.receipt_logs import body_of


class Payment(NamedTuple):
    """Whom it goes to, None for a creation, and what it offers per gas, in wei."""

    to: Address | None
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


def payment_of(raw: bytes) -> Payment:
    """Of a transaction as it lies in the store."""
    kind = raw[0] if raw[0] < 0xC0 else 0
    at = body_of(raw, 1 if kind else 0)[0]
    for _ in range(2 if kind else 1):
        at = body_of(raw, at)[1]
    start, at = body_of(raw, at)
    tip = fee = int.from_bytes(raw[start:at], "big")
    if kind >= 2:
        start, at = body_of(raw, at)
        fee = int.from_bytes(raw[start:at], "big")
    start, end = body_of(raw, body_of(raw, at)[1])
    return Payment(Address(raw[start:end]) if end > start else None, fee, tip)
