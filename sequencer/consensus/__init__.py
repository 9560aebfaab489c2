"""The sequence log: the durable order of decisions (architecture, D1 and D2)."""
