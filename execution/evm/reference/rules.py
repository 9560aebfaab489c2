"""What changes from fork to fork, as values, so that no other module asks for a fork by name."""

from dataclasses import dataclass
from typing import Final

from execution.evm.reference.computation import CancunInterpreter, PragueInterpreter

_CANCUN_BLOB_FEE_FRACTION: Final = 3_338_477
_PRAGUE_BLOB_FEE_FRACTION: Final = 5_007_716


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one fork. ``blob_fee_fraction`` is that of EIP-4844 and EIP-7691."""

    fork: str
    interpreter: type[CancunInterpreter] | type[PragueInterpreter]
    has_set_code: bool
    """EIP-7702."""
    has_floor_gas: bool
    """EIP-7623."""
    has_history_contract: bool
    """EIP-2935."""
    has_requests: bool
    """EIP-7685: the header has a requests hash."""
    blob_fee_fraction: int

    @property
    def precompiles(self) -> frozenset[bytes]:
        """Addresses that are always warm."""
        return frozenset(self.interpreter.get_precompiles())

    def blob_base_fee(self, excess_blob_gas: int) -> int:
        """Wei per blob gas: an integer approximation of e ** (excess / fraction), at least 1 (EIP-4844)."""
        i, output, term = 1, 0, self.blob_fee_fraction
        while term > 0:
            output += term
            term = term * excess_blob_gas // (self.blob_fee_fraction * i)
            i += 1
        return output // self.blob_fee_fraction


RULES: Final = {
    rules.fork: rules
    for rules in (
        Rules("cancun", CancunInterpreter, False, False, False, False, _CANCUN_BLOB_FEE_FRACTION),
        Rules("prague", PragueInterpreter, True, True, True, True, _PRAGUE_BLOB_FEE_FRACTION),
    )
}
