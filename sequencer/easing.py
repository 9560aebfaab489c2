"""The builder slows and ingress closes as more waits to be public."""

from collections.abc import Callable

from da.backpressure import BackPressureConfig, load_percent, pace, together
from da.batcher import Batcher
from da.service import DaService
from sequencer.ingress_holds import IngressHolds


class Easing:
    """One chain's, asked once a block."""

    def __init__(
        self,
        config: BackPressureConfig,
        batcher: Batcher,
        da: DaService,
        ingress: IngressHolds,
        clock_ms: Callable[[], int],
    ) -> None:
        self._config = config
        self._batcher = batcher
        self._da = da
        self._ingress = ingress
        self._clock_ms = clock_ms

    def gas_percent(self) -> int:
        """How much of the next block's gas may be used; ingress follows."""
        unposted, backlog = self._batcher.unposted, self._da.backlog
        waiting = together(
            unposted.size_bytes, unposted.oldest_sealed_ms, backlog.size_bytes, backlog.oldest_prepared_ms
        )
        allowed = pace(load_percent(waiting, self._clock_ms(), self._config))
        if not allowed.accepts_new:
            self._ingress.hold("da", "too much waits to be posted")
        else:
            self._ingress.release("da")
        return allowed.gas_percent
