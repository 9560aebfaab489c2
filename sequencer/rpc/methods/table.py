"""The method table: every JSON-RPC method that this node answers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sequencer.rpc.chain import ServedChain
from sequencer.rpc.methods import (
    bundle,
    debug,
    eth_block,
    eth_call,
    eth_chain,
    eth_conditional,
    eth_fee,
    eth_fill,
    eth_log,
    eth_node,
    eth_send,
    eth_simulate,
    eth_state,
    eth_subscribe,
    eth_transaction,
    inspection,
    net,
    ordering,
    sequencer,
    txpool,
    web3,
)
from sequencer.rpc.methods.method import Method


def rpc_modules(_: ServedChain) -> dict[str, str]:
    """The namespaces and their versions."""
    return {name.partition("_")[0]: "1.0" for name in sorted(METHODS)}


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        method.name: method
        for method in (
            *eth_chain.METHODS,
            *eth_block.METHODS,
            *eth_transaction.METHODS,
            *eth_send.METHODS,
            *eth_conditional.METHODS,
            *eth_fill.METHODS,
            *eth_state.METHODS,
            *eth_call.METHODS,
            *eth_fee.METHODS,
            *eth_log.METHODS,
            *eth_subscribe.METHODS,
            *eth_node.METHODS,
            *net.METHODS,
            *web3.METHODS,
            *txpool.METHODS,
            *debug.METHODS,
            *inspection.METHODS,
            *eth_simulate.METHODS,
            *sequencer.METHODS,
            *ordering.METHODS,
            *bundle.METHODS,
            Method("rpc_modules", rpc_modules),
        )
    }
)
"""By name."""
