"""Ordering policies: which of the executable transactions come next, and in which order."""
