"""Executing transactions: engines behind one port, and which of them runs a chain."""
