"""Settings of the sequence log."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SequenceLogConfig:
    """How the log lies on this node's disk; it says the same whatever they are."""

    segment_bytes: int = field(default=16 * 1024 * 1024, metadata={"minimum": 16 * 1024, "maximum": 1024 * 1024 * 1024})
    """Size of a segment file. Segments whose blocks are final on DA are deleted, but never the newest."""
