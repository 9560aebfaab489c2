"""Where the next batch goes when a layer does not take it: down a chain, for a bounded while, then up again. Pure.

It needs the inbox: there the order of batches is the order of references, whichever layer holds their bytes. After
``max_failures`` in a row the next place is used for ``hold_batches`` batches; then the first place is tried again, and
one failure is enough to go back down.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sequencer.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FallbackConfig:
    """How patient posting is with a layer that fails."""

    max_failures: int = 3
    """Failures in a row after which the next layer is used."""
    hold_batches: int = 10
    """Batches that go to a later layer before the first one is tried again."""

    def __post_init__(self) -> None:
        for name in ("max_failures", "hold_batches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"fallback.{name}", getattr(self, name), "must be at least 1")


class Fallback:
    """A chain of places, best first."""

    def __init__(self, places: Sequence[str], config: FallbackConfig) -> None:
        self._places = tuple(places)
        self._config = config
        self._at = 0
        self._failures = 0
        self._held = 0

    @property
    def place(self) -> str:
        """Where to post now."""
        return self._places[self._at]

    def failed(self) -> None:
        """A posting at ``place`` did not succeed."""
        self._failures += 1
        if self._failures >= self._config.max_failures and self._at + 1 < len(self._places):
            self._at += 1
            self._failures = self._held = 0

    def succeeded(self) -> None:
        """A posting at ``place`` did."""
        self._failures = 0
        if self._at:
            self._held += 1
            if self._held >= self._config.hold_batches:
                self._at = self._held = 0
                self._failures = self._config.max_failures - 1
