"""The DA layer ``celestia``: blobs in one namespace, through a celestia-node's JSON-RPC.

``shares`` and ``commitment`` compute what the chain will commit to; ``wire`` reads and writes the node's JSON,
``errors`` its error texts, ``fees`` decides on prices, all of them pure. ``rpc`` is the one module that talks,
and ``layer`` keeps the port's obligations with it.
"""
