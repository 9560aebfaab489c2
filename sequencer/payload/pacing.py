"""How many transactions to execute in one go, so that a flashblock closes on time on any engine.

Pure. The reference engine runs a few transactions in the time in which the native one runs thousands; the
pace follows what was measured last, weighted towards caution: a slower chunk counts at once, a faster one
by and by.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Measured cost of a transaction in microseconds, and the chunk that fits ``target_ms``."""

    target_ms: int
    cost_us: float = 1000.0

    def chunk(self) -> int:
        """At least 1."""
        return max(1, int(self.target_ms * 1000 / self.cost_us))

    def measured(self, count: int, elapsed_us: float) -> None:
        """``count`` transactions took ``elapsed_us``."""
        if count:
            cost = max(elapsed_us / count, 1.0)
            weight = 0.5 if cost > self.cost_us else 0.2
            self.cost_us += (cost - self.cost_us) * weight
