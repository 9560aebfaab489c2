"""The parameters of an ordering policy, read one by one; whatever is left over is a mistake."""

from sequencer.core import encoding
from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import ConfigError, Malformed
from sequencer.core.types import Address


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

    def address(self, key: str) -> Address | None:
        """An address as ``0x`` and 40 hex digits in lower case; None without it. One spelling only, because
        the text goes into the policy id."""
        value = self._values.pop(key, None)
        if value is None:
            return None
        try:
            address = encoding.parse_address(value)
        except Malformed as error:
            raise ConfigError(f"ordering.parameters.{key}", value, str(error)) from None
        if encoding.data(address) != value:
            raise ConfigError(f"ordering.parameters.{key}", value, "must be written in lower case")
        return address

    def finish(self) -> None:
        """Everything was read: refuses parameters that the policy does not have."""
        for key, value in self._values.items():
            raise ConfigError(f"ordering.parameters.{key}", value, f"policy {self._policy} has no such parameter")
