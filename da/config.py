"""Settings of posting. They change when batches are cut and how patiently they are sent, never what they mean."""

from dataclasses import dataclass

from da.limits import MAX_BLOCK_BYTES, MAX_BLOCKS
from sequencer.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class BatcherConfig:
    """When a batch closes (``batcher.Batcher.due``). Ages count from the sealing of its first block."""

    max_age_ms: int = 1_500
    """A batch closes at this age whatever it holds; leaves time to verify and post within 2 s."""
    min_age_ms: int = 1_500
    """No batch closes for its price before this age. Equal to ``max_age_ms``: age and size alone decide."""
    fixed_cost_bytes: int = 512
    """What a batch costs on the layer before its first byte, expressed in bytes: base fee of the submission,
    header, padding."""
    overhead_share_percent: int = 5
    """Between the two ages a batch closes once its fixed cost is no more than this share of its size."""
    target_body_bytes: int = 4 * 1024 * 1024
    """A batch closes once its body reaches this size."""
    max_blocks: int = 4_096
    """Most blocks in one batch."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_age_ms <= self.max_age_ms:
            raise ConfigError("batch.min_age_ms", self.min_age_ms, "must be from 0 to batch.max_age_ms")
        if not 1 <= self.max_blocks <= MAX_BLOCKS:
            raise ConfigError("batch.max_blocks", self.max_blocks, f"must be from 1 to {MAX_BLOCKS}")
        if not 1 <= self.target_body_bytes <= MAX_BLOCK_BYTES:  # bodies are estimated: half of what one may hold
            raise ConfigError("batch.target_body_bytes", self.target_body_bytes, f"must be from 1 to {MAX_BLOCK_BYTES}")
        if not 1 <= self.overhead_share_percent <= 100:
            raise ConfigError("batch.overhead_share_percent", self.overhead_share_percent, "must be from 1 to 100")


@dataclass(frozen=True, slots=True)
class SubmitterConfig:
    """How batches are sent and watched. Durations in milliseconds."""

    resend_after_ms: int = 1_000
    """After an attempt of unknown outcome, how long to look for it on the layer before sending again."""
    confirm_timeout_ms: int = 10_000
    """How long a reference that the layer gave may stay unfound before the batch counts as lost."""
    poll_interval_ms: int = 500
    """How often the layer is asked about what was sent."""
    backoff_base_ms: int = 250
    """First wait after a failed attempt; it doubles from there."""
    backoff_max_ms: int = 30_000
    """Longest wait between attempts."""
    max_outbox_count: int = 256
    """Batches in the outbox; when reached, no batch closes."""
    max_outbox_bytes: int = 256 * 1024 * 1024
    """Bytes in the outbox; when reached, no batch closes."""

    def __post_init__(self) -> None:
        for name in ("poll_interval_ms", "backoff_base_ms", "max_outbox_count", "max_outbox_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"da.{name}", getattr(self, name), "must be at least 1")
        if self.backoff_max_ms < self.backoff_base_ms:
            raise ConfigError("da.backoff_max_ms", self.backoff_max_ms, "must be at least backoff_base_ms")
