"""Settings of the layer ``celestia``."""

from dataclasses import dataclass, field
from pathlib import Path

from sequencer.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CelestiaConfig:
    """A celestia-node, and how blobs are paid for."""

    url: str = "http://localhost:26658"
    """Of the node's JSON-RPC."""
    token_file: Path | None = None
    """File with the node's auth token; it needs write permission to post, read permission to derive. Read again
    whenever the node refuses it."""
    accounts: tuple[str, ...] = ()
    """Addresses in the node's keyring that pay. Each has one submission in flight; several post side by side. The
    node's default account when empty."""
    gas_price: float = field(default=0.0, metadata={"minimum": 0})
    """First price offered, utia per gas; 0 lets the node estimate."""
    max_gas_price: float = field(default=0.4, metadata={"minimum": 0})
    """Highest price offered, utia per gas."""
    priority: int = field(default=2, metadata={"minimum": 1, "maximum": 3})
    """Of a price that the node estimates: 1 low, 2 medium, 3 high."""
    blob_size_bytes: int = field(default=1_500_000, metadata={"minimum": 1_024, "maximum": 8_000_000})
    """Largest blob."""
    max_tx_bytes: int = field(default=7_500_000, metadata={"minimum": 1_024, "maximum": 8_000_000})
    """Most blob bytes in one transaction; the network takes 8 MiB with everything around them."""
    submit_timeout_ms: int = field(default=90_000, metadata={"minimum": 1})
    """How long to wait for a submission, which the node answers at inclusion; after that its outcome is unknown."""
    read_timeout_ms: int = field(default=20_000, metadata={"minimum": 1})
    """How long to wait for any other answer."""
    resend_after_ms: int = field(default=75_000, metadata={"minimum": 0})
    """How long a submission of unknown outcome may still come into a block: so long it is looked for before it is
    sent again."""
    confirm_timeout_ms: int = field(default=30_000, metadata={"minimum": 0})
    """How long after a submission that the node called a success its blobs may be missing."""
    max_response_bytes: int = field(default=192 * 1024 * 1024, metadata={"minimum": 1_024})
    """Largest answer that is read; a whole block of 128 MiB fits, in base64."""
    minimum_balance_utia: int = field(default=10_000_000, metadata={"minimum": 0})
    """Below this balance of a paying account an alarm is raised."""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError("celestia.url", self.url, "must start with http:// or https://")
        if self.gas_price > self.max_gas_price:
            raise ConfigError("celestia.gas_price", self.gas_price, "must not exceed celestia.max_gas_price")
        if self.blob_size_bytes > self.max_tx_bytes:
            reason = "must not exceed celestia.max_tx_bytes"
            raise ConfigError("celestia.blob_size_bytes", self.blob_size_bytes, reason)
