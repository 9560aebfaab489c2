"""Pages that the node serves beside JSON-RPC."""
