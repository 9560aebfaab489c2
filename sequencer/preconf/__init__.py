"""Pre-confirmations: makes decisions durable, then signs them, then hands them out."""
