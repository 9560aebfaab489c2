"""Building blocks: picks transactions by the policy, executes them, closes flashblocks, seals."""
