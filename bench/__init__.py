"""Benchmarks. ``python -m bench`` runs them and writes ``bench/RESULTS.md``; the method is in ``bench/README.md``."""
