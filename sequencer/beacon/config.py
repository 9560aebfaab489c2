"""Settings of watching for faults."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvidenceConfig:
    """What is compared with this node's chain; each fault found is written to evidence/ in the data directory."""

    watch: tuple[str, ...] = ()
    """WebSocket URLs of nodes and followers whose newFlashblocks show what they saw signed."""
    da_poll_ms: int = 5_000
    """How often the layer is asked for batches that were posted."""
