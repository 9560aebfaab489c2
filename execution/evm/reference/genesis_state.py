"""The state of block 0 from the accounts of a genesis file."""

from collections.abc import Mapping

from execution.evm.reference.state import StateTries, StateView
from execution.evm.reference.world import ExecutionContext, World
from sequencer.core.genesis_accounts import GenesisAccount
from sequencer.core.keccak import EMPTY_TRIE_ROOT
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address, Hash32


def write_accounts(tries: StateTries, accounts: Mapping[Address, GenesisAccount]) -> Hash32:
    """Write ``accounts`` as a state of their own; its root. Accounts without anything are kept as they are."""
    context = ExecutionContext(0, 0, 0, ZERO_ADDRESS, 0, 0, ZERO_HASH, 0)
    world = World(StateView(tries, EMPTY_TRIE_ROOT, lambda _number: ZERO_HASH), context, frozenset())
    for address, account in accounts.items():
        world.set_nonce(address, account.nonce)
        world.set_balance(address, account.balance_wei)
        world.set_code(address, account.code)
        for slot, value in account.storage.items():
            world.set_storage(address, int.from_bytes(slot, "big"), int.from_bytes(value, "big"))
    return tries.write(EMPTY_TRIE_ROOT, world)
