"""What an Ethereum node's refusal of a transaction means. Pure; the texts are geth's, and those of other clients."""

from enum import Enum
from typing import Final


class Refusal(Enum):
    """What to do about it."""

    KNOWN = "known"
    """The node has this very transaction already: it is sent."""
    NONCE_USED = "nonce_used"
    """Another transaction of the account stands in a block at this nonce."""
    PRICE = "price"
    """Offer more."""
    FUNDS = "funds"
    TOO_LARGE = "too_large"
    OTHER = "other"
    """It may work later."""


_TEXTS: Final = (
    ("already known", Refusal.KNOWN),
    ("already imported", Refusal.KNOWN),
    ("alreadyknown", Refusal.KNOWN),
    ("nonce too low", Refusal.NONCE_USED),
    ("underpriced", Refusal.PRICE),
    ("less than block base fee", Refusal.PRICE),
    ("less than block blob gas fee", Refusal.PRICE),
    ("fee too low", Refusal.PRICE),
    ("insufficient funds", Refusal.FUNDS),
    ("oversized data", Refusal.TOO_LARGE),
    ("transaction too large", Refusal.TOO_LARGE),
    ("exceeds block gas limit", Refusal.TOO_LARGE),
    ("exceeds transaction gas limit", Refusal.TOO_LARGE),
)


def meaning(text: str) -> Refusal:
    """By the first text that is contained."""
    lowered = text.lower()
    return next((found for part, found in _TEXTS if part in lowered), Refusal.OTHER)
