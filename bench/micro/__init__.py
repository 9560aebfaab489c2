"""Micro benchmarks of the native engine, one number a line: ``python -m bench.micro``."""
