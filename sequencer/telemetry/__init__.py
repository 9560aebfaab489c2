"""What the node tells its operators: structured logs, Prometheus metrics and health."""
