"""Read-only execution: what a caller asks of the engine and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sequencer.core.receipt import Log
from sequencer.core.transaction import AccessListEntry, Authorization
from sequencer.core.types import ZERO_ADDRESS, Address, Hash32


class AccountView(NamedTuple):
    """An account as the state has it; absent accounts are all zero. The balance is in wei."""

    nonce: int
    balance_wei: int
    code_hash: Hash32
    delegated: bool = False
    """Its code is an EIP-7702 delegation."""


@dataclass(frozen=True, slots=True)
class AccountOverride:
    """What a call should find instead of the real account; None keeps the real value."""

    balance_wei: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    state: Mapping[Hash32, Hash32] | None = None
    """Replaces the whole storage."""
    state_diff: Mapping[Hash32, Hash32] = field(default_factory=dict)
    """Replaces single slots."""
    moved_to: Address | None = None
    """Where the precompile at this address goes. Whatever else is overridden, it no longer stands here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOverride:
    """What a call should find instead of the real block around it; None keeps the real value.

    The timestamp is in unix seconds, fees are in wei per gas and blob gas. ``parent_beacon_block_root`` is for
    simulated blocks only.
    """

    number: int | None = None
    timestamp: int | None = None
    gas_limit: int | None = None
    coinbase: Address | None = None
    prev_randao: Hash32 | None = None
    base_fee_per_gas: int | None = None
    blob_base_fee: int | None = None
    parent_beacon_block_root: Hash32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """A message call that changes nothing. Gas, fees and nonce are None when the caller left them out."""

    sender: Address = ZERO_ADDRESS
    to: Address | None
    data: bytes = b""
    value: int = 0
    gas_limit: int | None = None
    gas_price: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    nonce: int | None = None
    access_list: tuple[AccessListEntry, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    overrides: Mapping[Address, AccountOverride] = field(default_factory=dict)
    block: BlockOverride | None = None


@dataclass(frozen=True, slots=True)
class CallResult:
    """What the call did. ``halt`` names an exceptional halt in geth's words; ``reverted`` means REVERT."""

    output: bytes
    gas_used: int
    reverted: bool = False
    halt: str = ""
    logs: tuple[Log, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Neither reverted nor halted."""
        return not self.reverted and not self.halt
