"""The JSON-RPC methods, one module a noun; ``table`` lists them all."""
