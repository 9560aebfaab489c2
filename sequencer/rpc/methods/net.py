"""``net_*``: the network, which for a sequencer is its users."""

from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods.method import Method


def version(chain: ServedChain) -> str:
    """The chain id in decimal."""
    return str(chain.backend.spec.chain_id)


def listening(_: ServedChain) -> bool:
    """True, since it answers."""
    return True


def peer_count(_: ServedChain) -> str:
    """Zero: there is no gossip network."""
    return "0x0"


METHODS = (
    Method("net_version", version),
    Method("net_listening", listening),
    Method("net_peerCount", peer_count),
)
