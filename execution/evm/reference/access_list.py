"""``eth_createAccessList``: what the caller listed and what a call touches, found by running it until the list no
longer grows.

What counts is what an instruction asks for, whether or not the frame it runs in is reverted later: the transaction
pays for it either way.
"""

from dataclasses import replace
from typing import Any, Final

from execution.evm.reference import calls, transition
from execution.evm.reference.calls import Surroundings
from execution.evm.reference.world import World
from sequencer.core.calls import CallRequest, CallResult
from sequencer.core.transaction import AccessListEntry
from sequencer.core.types import Address, Hash32

_RUNS: Final = 16
"""A list grows at most by what a run touches anew; nothing known needs more than a few runs."""


class TouchedWorld(World):
    """Notes which accounts and slots it is asked about: each instruction asks before it is charged (EIP-2929)."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.touched: dict[bytes, set[int]] = {}

    def is_address_warm(self, address: bytes) -> bool:
        self.touched.setdefault(address, set())
        return super().is_address_warm(address)

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        self.touched.setdefault(address, set()).add(slot)
        return super().is_storage_warm(address, slot)


def create(request: CallRequest, around: Surroundings, gas_cap: int) -> tuple[tuple[AccessListEntry, ...], CallResult]:
    """The list, and the result of the run with it. Raises ``Rejected`` as ``eth_call`` does."""
    limit = calls.gas_limit(request, gas_cap)
    runs = 0
    while True:
        world = calls.new_world(TouchedWorld, request, around)
        free = _free_of_charge(request, around, world)
        done = calls.execute_in(world, request, around, limit)
        runs += 1
        touched = _entries(request.access_list, world.touched, free)
        if touched == request.access_list or runs == _RUNS:
            return request.access_list, calls.result_of(done)
        request = replace(request, access_list=touched)


def _free_of_charge(request: CallRequest, around: Surroundings, world: World) -> set[bytes]:
    """Accounts that are warm from the start, and so are listed for their slots alone."""
    to = request.to
    if to is None:
        to = transition.contract_address(request.sender, world.get_nonce(request.sender))
    signers = (transition.signer_of(each, around.context.chain_id) for each in request.authorizations)
    return {request.sender, to, *around.rules.precompiles, *filter(None, signers)}


def _entries(
    given: tuple[AccessListEntry, ...], touched: dict[bytes, set[int]], free: set[bytes]
) -> tuple[AccessListEntry, ...]:
    """What was listed before and what was touched, by address and slot."""
    slots = {address: set(numbers) for address, numbers in touched.items() if numbers or address not in free}
    for entry in given:
        if entry.storage_keys or entry.address not in free:
            slots.setdefault(entry.address, set()).update(int.from_bytes(key, "big") for key in entry.storage_keys)
    return tuple(
        AccessListEntry(Address(address), tuple(Hash32(slot.to_bytes(32, "big")) for slot in sorted(slots[address])))
        for address in sorted(slots)
    )
