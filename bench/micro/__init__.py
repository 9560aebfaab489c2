"""Micro benchmarks: of the native engine (``python -m bench.micro``), the pool and the way to the DA layer."""
