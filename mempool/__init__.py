"""The mempool: which transactions wait, in which state, and which go when there is no room."""
