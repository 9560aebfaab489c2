"""Following a chain that is already decided: from this node's log, or from DA."""
