"""The parameters of an ordering policy, read one by one; whatever is left over is a mistake."""

from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError


class Parameters:
    """Reads ``rule.parameters``. Every method raises ``ConfigError`` naming ``ordering.parameters.KEY``."""

    def __init__(self, rule: OrderingRule) -> None:
        self._policy = rule.name
        self._values = dict(rule.parameters)

    def integer(self, key: str, default: int, minimum: int, maximum: int) -> int:
        """An integer from ``minimum`` to ``maximum``."""
        value = self._values.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"ordering.parameters.{key}", value, "must be an integer")
        if not minimum <= value <= maximum:
            raise ConfigError(f"ordering.parameters.{key}", value, f"must be from {minimum} to {maximum}")
        return value

    def finish(self) -> None:
        """Everything was read: refuses parameters that the policy does not have."""
        for key, value in self._values.items():
            raise ConfigError(f"ordering.parameters.{key}", value, f"policy {self._policy} has no such parameter")
