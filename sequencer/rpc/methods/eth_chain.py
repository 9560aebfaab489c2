"""``eth_*``: the chain itself."""

from sequencer.core.encoding import quantity
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods.method import Method


def chain_id(chain: ServedChain) -> str:
    """The EIP-155 chain id."""
    return quantity(chain.backend.spec.chain_id)


def block_number(chain: ServedChain) -> str:
    """The number of the newest sealed block."""
    return quantity(chain.backend.heads.unsafe.number)


def syncing(_: ServedChain) -> bool:
    """Always false: the node serves only once it has caught up with its own log."""
    return False


def accounts(_: ServedChain) -> list[str]:
    """Always empty: the node holds no user's key."""
    return []


METHODS = (
    Method("eth_chainId", chain_id),
    Method("eth_blockNumber", block_number),
    Method("eth_syncing", syncing),
    Method("eth_accounts", accounts),
)
