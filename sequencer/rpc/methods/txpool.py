"""``txpool_*``."""

from sequencer.core.encoding import quantity
from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods.method import Method


def status(chain: ServedChain) -> dict[str, str]:
    """How many transactions wait: executable ones, and those behind a nonce gap."""
    pending, queued = chain.backend.pool_counts()
    return {"pending": quantity(pending), "queued": quantity(queued)}


METHODS = (Method("txpool_status", status),)
