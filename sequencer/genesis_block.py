"""Block 0 computed from a genesis file alone, for tools that check a chain without running it.

The genesis hash stands in every signature's domain, and it covers the accounts through their state root. So
whoever verifies for a chain needs that root; the trie of the reference engine computes it in memory, without
opening a state on disk.
"""

from execution.evm.reference.genesis_state import write_accounts
from execution.evm.reference.state import StateTries
from sequencer.core.block import Header
from sequencer.core.eip712 import Domain
from sequencer.core.genesis import Genesis


def genesis_header(genesis: Genesis) -> Header:
    """The header of block 0. Takes about a millisecond for ten accounts, memory for all of them."""
    nodes: dict[bytes, bytes] = {}
    return genesis.header(write_accounts(StateTries(nodes.get, nodes.__setitem__), genesis.accounts))


def domain_of(genesis: Genesis) -> Domain:
    """The EIP-712 domain of everything that the chain's sequencers sign."""
    return Domain(genesis.spec.chain_id, genesis.spec.verifying_contract, genesis_header(genesis).hash)
