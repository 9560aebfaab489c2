"""What a submission may cost, in utia. Pure.

The price starts at what the operator set, rises by a quarter each time the network calls it too low or lets a
transaction time out, never beyond the operator's cap, and falls back in the same steps with every success.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from da.celestia import shares
from da.celestia.config import CelestiaConfig

MINIMUM_GAS_PRICE: Final = 0.004
"""Of the network, utia per gas (celestia-app, ``DefaultNetworkMinGasPrice`` at the time of writing)."""
GAS_PER_BLOB_BYTE: Final = 8
_GAS_PER_TX_BYTE: Final = 10
_TX_BYTES_PER_BLOB: Final = 70
_FIXED_GAS: Final = 65_000
_STEP: Final = 1.25


class GasPrice:
    """The price that the next submission offers."""

    def __init__(self, config: CelestiaConfig) -> None:
        self._config = config
        self._steps = 0

    @property
    def offer(self) -> float:
        """utia per gas."""
        start = self._config.gas_price or MINIMUM_GAS_PRICE
        return min(start * _STEP**self._steps, self._cap)

    def raised(self) -> bool:
        """The last offer was too low. False if the cap allows no more."""
        if self.offer >= self._cap:
            return False
        self._steps += 1
        return True

    def succeeded(self) -> None:
        """The last offer was taken."""
        self._steps = max(0, self._steps - 1)

    def options(self, account: str) -> Mapping[str, object]:
        """The options of ``blob.Submit``, for the account with this address; empty: the node's own.

        At its starting price an operator who set none lets the node estimate, up to the cap.
        """
        options: dict[str, object] = {"max_gas_price": self._cap, "tx_priority": self._config.priority}
        if self._config.gas_price or self._steps:
            options |= {"gas_price": self.offer, "is_gas_price_set": True}
        if account:
            options["signer_address"] = account
        return options

    @property
    def _cap(self) -> float:
        return self._config.max_gas_price


def gas(blob_sizes: Sequence[int]) -> int:
    """About the gas of one transaction that pays for blobs of these sizes (celestia-app, ``x/blob``)."""
    share_bytes = sum(shares.count(size) for size in blob_sizes) * shares.SHARE_BYTES
    return share_bytes * GAS_PER_BLOB_BYTE + len(blob_sizes) * _TX_BYTES_PER_BLOB * _GAS_PER_TX_BYTE + _FIXED_GAS
