"""The block store: everything that can be rebuilt from the sequence log, kept so that it can be read."""
