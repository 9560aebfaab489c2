"""One chain as it is served: what every method handler is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sequencer.rpc.backend import Backend
from sequencer.rpc.config import RpcConfig
from sequencer.rpc.fees import RewardMemory
from sequencer.rpc.filters import FilterRegistry


@dataclass(frozen=True, slots=True)
class ServedChain:
    """The backend, the settings, and the little state that the RPC itself keeps for a chain.

    ``now_ms`` is a monotonic clock in milliseconds; ``new_id`` draws an id that nobody can guess.
    """

    backend: Backend
    config: RpcConfig
    filters: FilterRegistry
    now_ms: Callable[[], int]
    new_id: Callable[[], int]
    client_version: str
    method_names: Sequence[str] = ()
    rewards: RewardMemory = field(default_factory=RewardMemory)
