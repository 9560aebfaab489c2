"""How much one address may ask for: a bucket of tokens each, filled at a steady rate. Pure.

A request costs the weight of its method, a batch the sum. Whoever has no tokens left is refused and told when to
come again; what is refused costs nothing. An IPv6 user owns a whole /64 network, so that is what counts as one
address. The table is bounded: when it is full, the address that asked longest ago is forgotten, and starts afresh.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import Final

ADDRESSES_KEPT: Final = 50_000


class RateLimiter:
    """Token buckets by address. ``rate`` is tokens a second, ``burst_s`` how many seconds' worth a bucket holds."""

    def __init__(self, rate: int, burst_s: float, addresses_kept: int = ADDRESSES_KEPT) -> None:
        self._rate = rate
        self.limits = rate > 0
        """False while everyone may ask for as much as they like."""
        self._capacity = rate * burst_s
        self._addresses_kept = addresses_kept
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, cost: int, now_s: float) -> float:
        """Take ``cost`` tokens. 0 when they were there; otherwise the seconds until they are, and none is taken.

        A cost beyond the whole bucket is let through once the bucket is full, and leaves it in debt.
        """
        if not self.limits:
            return 0.0
        key = _network(address)
        tokens, seen_s = self._buckets.pop(key, (self._capacity, now_s))
        tokens = min(self._capacity, tokens + (now_s - seen_s) * self._rate)
        missing = min(cost, self._capacity) - tokens
        self._buckets[key] = (tokens if missing > 0 else tokens - cost, now_s)
        if len(self._buckets) > self._addresses_kept:
            self._buckets.popitem(last=False)
        return max(missing, 0.0) / self._rate


def _network(address: str) -> str:
    if ":" not in address:
        return address
    parsed = ip_address(address.partition("%")[0])
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else parsed.packed[:8].hex()
