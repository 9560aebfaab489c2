"""JSON-RPC over HTTP and WebSocket: what wallets, dapps and tools talk to."""
