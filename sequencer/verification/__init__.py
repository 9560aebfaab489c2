"""Executing blocks a second time on an engine of its own, and naming the first difference."""
