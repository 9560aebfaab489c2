"""Types, encodings and ports that every part shares.

Nothing here imports another part of the node, awaits, sleeps, reads a clock, draws randomness or logs.
"""
