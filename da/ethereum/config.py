"""Settings of the layer ``ethereum``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from sequencer.core.errors import ConfigError

_GWEI = 10**9
DataKind: TypeAlias = Literal["auto", "blobs", "calldata"]


@dataclass(frozen=True, slots=True)
class EthereumConfig:
    """An Ethereum node that holds the settlement contract, and how postings are paid for."""

    url: str = "http://localhost:8545"
    """Of the node's JSON-RPC."""
    beacon_url: str = ""
    """Of a beacon node's REST interface, from which blobs are read back; the same as url when empty."""
    key_file: Path | None = None
    """File with the private key that pays, in hex; only its owner may read it."""
    data: DataKind = "auto"
    """Where the bytes of batches go; auto takes what is cheaper now."""
    wrapper_version: Literal[0, 1] = 1
    """How blob transactions carry proofs: 1 cell proofs (since Osaka), 0 one proof a blob."""
    max_blobs: int = field(default=6, metadata={"minimum": 1, "maximum": 6})
    """Most blobs in one transaction."""
    max_transactions: int = field(default=8, metadata={"minimum": 1, "maximum": 16})
    """Most transactions in flight at once; nodes keep few blob transactions of one account."""
    bump_after_ms: int = field(default=24_000, metadata={"minimum": 1})
    """A transaction whose fees the market has passed is replaced after this time; one whose fees should do, after
    four times as long."""
    max_fee_wei: int = field(default=500 * _GWEI, metadata={"minimum": 1})
    """Highest fee offered per gas, tip included."""
    tip_wei: int = field(default=_GWEI, metadata={"minimum": 0})
    """First tip offered per gas."""
    max_blob_fee_wei: int = field(default=1_000 * _GWEI, metadata={"minimum": 1})
    """Highest fee offered per blob gas."""
    submit_timeout_ms: int = field(default=600_000, metadata={"minimum": 1})
    """How long a posting is bumped and waited for; after that its outcome is unknown."""
    poll_interval_ms: int = field(default=1_000, metadata={"minimum": 1})
    """How often the node is asked for its newest block."""
    read_timeout_ms: int = field(default=20_000, metadata={"minimum": 1})
    """How long to wait for any answer."""
    max_response_bytes: int = field(default=64 * 1024 * 1024, metadata={"minimum": 1_024})
    """Largest answer that is read."""
    log_range_blocks: int = field(default=5_000, metadata={"minimum": 1})
    """Blocks in one question for events."""
    minimum_balance_wei: int = field(default=10**17, metadata={"minimum": 0})
    """Below this balance of the posting account an alarm is raised."""
    adopt_nonces: bool = False
    """Post although the key's account has transactions that this node did not send."""

    def __post_init__(self) -> None:
        for key in ("url", "beacon_url"):
            value = getattr(self, key)
            if value and not value.startswith(("http://", "https://")):
                raise ConfigError(f"ethereum.{key}", value, "must start with http:// or https://")
        if not self.url:
            raise ConfigError("ethereum.url", self.url, "is needed")

    @property
    def beacon(self) -> str:
        """Where blobs are read back, without a slash at the end."""
        return (self.beacon_url or self.url).rstrip("/")
