"""The native engine behind its port: the only modules that import the Rust extension."""
