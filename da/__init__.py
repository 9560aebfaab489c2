"""Data availability: runs of blocks become batches, batches become blobs, and blobs become the chain again.

The way out is ``batcher`` -> ``body`` -> ``codec`` -> ``frame`` -> ``outbox`` -> ``submitter`` -> a layer;
the way back is a layer -> ``frame`` -> ``channel`` -> ``codec`` -> ``body`` -> ``derive``.
"""
