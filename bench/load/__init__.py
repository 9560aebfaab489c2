"""Whole processes under load: this node and its peers in turn, in one run, pinned to the same core."""
