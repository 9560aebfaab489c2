"""Blocks that do not exist: what ``eth_simulateV1`` asks of an engine, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sequencer.core.block import Header
from sequencer.core.calls import AccountOverride, BlockOverride, CallRequest, CallResult
from sequencer.core.chain_spec import FeeRule
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address


@dataclass(frozen=True, slots=True)
class BlockCalls:
    """One block: what it finds changed, and its calls in order. Numbers that are left out become empty blocks."""

    block: BlockOverride = field(default_factory=BlockOverride)
    accounts: Mapping[Address, AccountOverride] = field(default_factory=dict)
    calls: tuple[CallRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Blocks one on top of the other. ``validation`` asks for nonces and fees as a real block does; without it the
    base fee is zero unless overridden."""

    blocks: tuple[BlockCalls, ...]
    validation: bool = False
    trace_transfers: bool = False
    """Logs tell of ether that moves too, as ERC-20 transfers from the address 0xeee...e."""
    state_roots: bool = True
    """Whether headers carry the root of their state, which costs as much as the blocks since the first one's."""
    fees: FeeRule = field(default_factory=FeeRule)


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """A call as the transaction that it became, unsigned, and what it did. ``max_gas_used`` is before refunds.

    ``log_indexes`` number the result's logs in their block; the numbers of logs that were undone are left out.
    """

    transaction: Transaction
    result: CallResult
    max_gas_used: int
    log_indexes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SimulatedBlock:
    """A simulated block, those that fill a gap among them."""

    header: Header
    calls: tuple[SimulatedCall, ...]
