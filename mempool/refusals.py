"""Raw transactions that can never be right, so that sending one again costs a lookup and no signature check.

A refusal that depends on the sender's account, on fees or on how full the pool is may be turned around, and
is not remembered. Any other holds as long as the rules of entry do: a fork makes it void.
"""

from collections import OrderedDict
from typing import Final

from sequencer.core.errors import Reason, Rejected
from sequencer.core.ports import EntryRules
from sequencer.core.types import Hash32

_LASTING: Final = frozenset(
    {
        Reason.MALFORMED,
        Reason.TYPE_NOT_SUPPORTED,
        Reason.OVERSIZED_DATA,
        Reason.UNPROTECTED,
        Reason.WRONG_CHAIN,
        Reason.INVALID_SENDER,
        Reason.TIP_ABOVE_FEE_CAP,
        Reason.FEE_CAP_TOO_LARGE,
        Reason.UNDERPRICED,
        Reason.INTRINSIC_GAS,
        Reason.FLOOR_DATA_GAS,
        Reason.GAS_LIMIT,
        Reason.INIT_CODE_TOO_LARGE,
        Reason.EMPTY_AUTHORIZATIONS,
        Reason.SET_CODE_CREATION,
        Reason.NONCE_MAX,
    }
)
"""Reasons that lie in the bytes and the rules alone, when recovery gives them."""


class Refusals:
    """The last ``capacity`` of them, by the hash of the bytes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rules: EntryRules | None = None
        self._found: OrderedDict[Hash32, tuple[Reason, str]] = OrderedDict()

    def add(self, raw_hash: Hash32, refusal: Rejected, rules: EntryRules) -> None:
        """Remember what recovery under ``rules`` said; the oldest is forgotten when full."""
        if refusal.reason not in _LASTING:
            return
        if rules != self._rules:
            self._rules = rules
            self._found.clear()
        self._found[raw_hash] = (refusal.reason, refusal.detail)
        if len(self._found) > self._capacity:
            self._found.popitem(last=False)

    def check(self, raw_hash: Hash32, rules: EntryRules) -> None:
        """Raises ``Rejected`` as it was raised before, if the same bytes were refused under the same rules."""
        found = self._found.get(raw_hash)
        if found is not None and rules == self._rules:
            raise Rejected(*found)

    def reason(self, raw_hash: Hash32) -> Reason | None:
        """Why these bytes were refused, if that is remembered."""
        found = self._found.get(raw_hash)
        return found[0] if found else None
