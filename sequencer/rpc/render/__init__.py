"""The node's types as JSON, in geth's shapes: one module a noun. Pure."""
