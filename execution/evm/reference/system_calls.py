"""What happens at the start of every block before its first transaction: EIP-4788 and EIP-2935."""

from dataclasses import dataclass
from typing import Final

from execution.evm.reference import transition
from execution.evm.reference.rules import Rules
from execution.evm.reference.world import World
from sequencer.core.types import Address, Hash32

SYSTEM_ADDRESS: Final = Address(b"\xff" * 19 + b"\xfe")
BEACON_ROOTS: Final = Address(bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02"))
"""EIP-4788."""
HISTORY: Final = Address(bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935"))
"""EIP-2935."""


@dataclass(frozen=True, slots=True)
class BlockStart:
    """What the system contracts are told."""

    parent_hash: Hash32
    parent_beacon_block_root: Hash32


def begin_block(world: World, rules: Rules, start: BlockStart) -> None:
    """Tell those that are there."""
    if world.get_code(BEACON_ROOTS):
        transition.system_call(world, rules, SYSTEM_ADDRESS, BEACON_ROOTS, start.parent_beacon_block_root)
    if rules.has_history_contract and world.get_code(HISTORY):
        transition.system_call(world, rules, SYSTEM_ADDRESS, HISTORY, start.parent_hash)
