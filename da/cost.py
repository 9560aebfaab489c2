"""What layers that are paid can tell beside the port: prices and purses. An optional port.

Amounts are whole numbers of the layer's smallest coin: ``wei`` on Ethereum, ``utia`` on Celestia.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from sequencer.core.ports import BlobRef

COIN: Final = {"wei": 10**18, "utia": 10**6}
"""How many of the smallest make a whole coin."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What was paid for some blobs."""

    amount: int
    unit: str


@dataclass(frozen=True, slots=True)
class LayerAccount:
    """A purse that pays for posting. Below ``minimum`` the operator is told to refill it."""

    address: str
    balance: int
    minimum: int
    unit: str


@runtime_checkable
class PaidLayer(Protocol):
    """A layer that costs something."""

    async def cost(self, refs: Sequence[BlobRef], sizes: Sequence[int]) -> Cost:
        """What the blobs at ``refs``, of these sizes in bytes, have cost. Raises ``Temporary``."""
        ...

    async def accounts(self) -> list[LayerAccount]:
        """Every purse as it is now. Raises ``Temporary``."""
        ...
