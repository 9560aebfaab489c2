"""What a transaction must satisfy to enter the pool now. Asked for every transaction, changed by forks alone."""

from collections.abc import Callable

from sequencer.core.chain_spec import ChainSpec
from sequencer.core.ports import EntryRules


class CurrentRules:
    """One chain's, made once a second."""

    def __init__(self, spec: ChainSpec, clock_ms: Callable[[], int]) -> None:
        self._spec = spec
        self._clock_ms = clock_ms
        self._made: tuple[int, EntryRules] | None = None

    def now(self) -> EntryRules:
        """The rules of this second."""
        now_s = self._clock_ms() // 1000
        if self._made is None or self._made[0] != now_s:
            spec = self._spec
            rules = EntryRules(
                chain_id=spec.chain_id,
                fork=spec.fork_at(now_s),
                gas_limit=spec.gas_limit,
                minimum_fee_per_gas=spec.fees.minimum_base_fee_wei,
                minimum_tip_per_gas=0,
            )
            self._made = now_s, rules
        return self._made[1]
