"""Engines for the Ethereum Virtual Machine."""
