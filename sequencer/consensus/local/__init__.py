"""Engine ``local`` of the sequence log: append-only segment files of one machine."""
