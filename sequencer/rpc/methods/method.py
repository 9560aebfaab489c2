"""How a method is declared: its name, its parameters, its handler, and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from inspect import iscoroutinefunction

from sequencer.rpc.params import Parameter


class Kind(Enum):
    """What a method works with, which decides the limit that it runs under."""

    MEMORY = "memory"
    """Answers at once."""
    BLOCK = "block"
    """Reads and renders blocks."""
    STATE = "state"
    """Reads state, or a little of many blocks."""
    CALL = "call"
    """Executes, or reads a lot of state."""
    TRACE = "trace"
    """Executes again and records what happens."""
    LOGS = "logs"
    """Searches logs."""
    SEND = "send"
    """Hands a transaction in; nothing that reads can hold it up."""
    WAIT = "wait"
    """Hands a transaction in and waits for its promise."""
    SESSION = "session"
    """Subscribes or unsubscribes; needs a WebSocket."""

    @property
    def weight(self) -> int:
        """What one request of this kind costs in a batch."""
        return _WEIGHTS[self]


_WEIGHTS = {
    Kind.MEMORY: 1,
    Kind.SEND: 1,
    Kind.SESSION: 1,
    Kind.STATE: 2,
    Kind.BLOCK: 5,
    Kind.CALL: 10,
    Kind.WAIT: 10,
    Kind.LOGS: 20,
    Kind.TRACE: 50,
}


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the method table. The handler takes the ``ServedChain`` (and for ``SESSION`` the session)
    and then the parsed parameters; it returns what the JSON encoder takes."""

    name: str
    handler: Callable[..., object]
    parameters: tuple[Parameter, ...] = ()
    kind: Kind = Kind.MEMORY
    awaits: bool = field(init=False)
    weight: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "awaits", iscoroutinefunction(self.handler))
        object.__setattr__(self, "weight", self.kind.weight)
