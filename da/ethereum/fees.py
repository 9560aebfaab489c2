"""What postings offer, and when they offer more. Pure; all prices in wei per gas or per blob gas.

Nodes replace a transaction of the same nonce only for a higher price: 10 % more of everything, and twice as much of
everything for one with blobs (geth, core/txpool). So blobs are bumped rarely and far, calldata often and little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from da.ethereum.config import EthereumConfig
from da.ethereum.transaction import Fees

BLOB_GAS: Final = 131_072
"""Of one blob (EIP-4844)."""
BASE_GAS: Final = 21_000
REFERENCE_GAS: Final = 9_000
"""More than the inbox spends for one more reference."""
POST_GAS: Final = 90_000
"""More than the inbox spends for a posting with one reference, beside the data itself."""
_FLOOR_GAS_PER_TOKEN: Final = 10
"""EIP-7623; a zero byte is one token, any other byte four."""
_HASHING_GAS_PER_BYTE: Final = 1
_PATIENCE: Final = 4
"""Fees that should do get so much more time than fees that the market has passed."""


@dataclass(frozen=True, slots=True)
class Market:
    """What the next block asks: base fee, usual tip, and base fee of blobs."""

    base_fee: int
    tip: int
    blob_base_fee: int


def gas_limit(calls: Sequence[bytes], references: int) -> int:
    """A gas limit that a posting with this calldata stays below."""
    tokens = sum(4 * len(call) - 3 * call.count(0) for call in calls)
    size = sum(map(len, calls))
    data_gas = max(_FLOOR_GAS_PER_TOKEN * tokens, 4 * tokens + POST_GAS + _HASHING_GAS_PER_BYTE * size)
    return BASE_GAS + POST_GAS + REFERENCE_GAS * references + data_gas


def first_offer(market: Market, config: EthereumConfig, *, blobs: bool) -> Fees:
    """Room for the base fees to double before the offer is passed."""
    tip = min(max(market.tip, config.tip_wei), config.max_fee_wei)
    max_fee = min(2 * market.base_fee + tip, config.max_fee_wei)
    blob_fee = min(2 * market.blob_base_fee, config.max_blob_fee_wei) if blobs else 0
    return Fees(max_fee, min(tip, max_fee), blob_fee)


def replacement(before: Fees, market: Market, config: EthereumConfig) -> Fees | None:
    """The least offer that nodes take in place of ``before`` and that suits the market; None beyond the caps."""
    percent = 200 if before.blob_fee else 110
    fresh = first_offer(market, config, blobs=before.blob_fee > 0)
    fees = Fees(
        max(_more(before.max_fee, percent), fresh.max_fee),
        max(_more(before.tip, percent), fresh.tip),
        max(_more(before.blob_fee, percent), fresh.blob_fee) if before.blob_fee else 0,
    )
    within = fees.max_fee <= config.max_fee_wei and fees.blob_fee <= config.max_blob_fee_wei
    return Fees(fees.max_fee, min(fees.tip, fees.max_fee), fees.blob_fee) if within else None


def is_passed(offer: Fees, market: Market) -> bool:
    """The next block will not take the offer."""
    return offer.max_fee < market.base_fee or (offer.blob_fee > 0 and offer.blob_fee < market.blob_base_fee)


def bump_due(offer: Fees, market: Market, waited_ms: int, config: EthereumConfig) -> bool:
    """It is time to offer more."""
    patience = 1 if is_passed(offer, market) else _PATIENCE
    return waited_ms >= patience * config.bump_after_ms


def cheaper(market: Market, datas: Sequence[bytes], max_blobs: int) -> Literal["blobs", "calldata"]:
    """Where the bytes cost less at the market's prices."""
    price = market.base_fee + market.tip
    transactions = -(-len(datas) // max_blobs)
    blobs = len(datas) * (BLOB_GAS * market.blob_base_fee + REFERENCE_GAS * price)
    blobs += transactions * (BASE_GAS + POST_GAS) * price
    calldata = sum(gas_limit([data], 1) for data in datas) * price
    return "blobs" if blobs <= calldata else "calldata"


def _more(price: int, percent: int) -> int:
    """At least one wei more, and no less than ``percent`` of it."""
    return max(-(-price * percent // 100), price + 1)
