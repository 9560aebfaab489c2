"""Whether the node lives and whether it is ready, with the reasons when not. Pure.

Alive means that a restart would not help; ready means that traffic may be sent here. A fault takes both
away, a hold only readiness. Every reason is named by whoever sets it and cleared by the same name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

STARTING: Final = "starting"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe is told: ``status`` ``ok`` or ``failing``, and why."""

    ok: bool
    reasons: Mapping[str, str]

    def as_json(self) -> dict[str, object]:
        """The body of the answer."""
        return {"status": "ok" if self.ok else "failing", "reasons": dict(self.reasons)}


class Health:
    """Named reasons against being alive or ready. A node starts with the hold ``starting``."""

    def __init__(self) -> None:
        self._holds: dict[str, str] = {STARTING: "the node is starting"}
        self._faults: dict[str, str] = {}

    def hold(self, name: str, why: str) -> None:
        """Not ready until ``clear(name)``."""
        self._holds[name] = why

    def fault(self, name: str, why: str) -> None:
        """Neither alive nor ready until ``clear(name)``."""
        self._faults[name] = why

    def clear(self, name: str) -> None:
        """The reason of this name no longer stands. Clearing one that does not stand is fine."""
        self._holds.pop(name, None)
        self._faults.pop(name, None)

    def live(self) -> Answer:
        """For ``/livez``."""
        return Answer(not self._faults, dict(self._faults))

    def ready(self) -> Answer:
        """For ``/readyz``."""
        reasons = self._faults | self._holds
        return Answer(not reasons, reasons)
