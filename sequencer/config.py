"""Operator settings: everything that may differ between two nodes of one chain.

Each part owns a frozen dataclass of its settings; this file puts them side by side under the section names
that operators write. Chain constants are not here: they are in the genesis file, which all nodes share.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from da.backpressure import BackPressureConfig
from da.celestia.config import CelestiaConfig
from da.config import BatcherConfig, SubmitterConfig
from da.ethereum.config import EthereumConfig
from da.fallback import FallbackConfig
from execution.config import ExecutionConfig
from mempool.config import MempoolConfig
from sequencer import config_load
from sequencer.beacon.config import EvidenceConfig
from sequencer.config_load import Flag, Loaded
from sequencer.consensus.config import SequenceLogConfig
from sequencer.core.errors import ConfigError
from sequencer.payload.config import PayloadConfig
from sequencer.rpc.config import RpcConfig
from sequencer.signer.config import SignerConfig
from sequencer.telemetry.config import LogConfig, MetricsConfig

CONFIG_VARIABLE: Final = "SEQUENCER_CONFIG"
"""Names the configuration file when the flag does not."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The node as a whole."""

    data_dir: Path = Path("sequencer-data")
    """Folder of everything the node keeps; one process at a time. The devnet uses a temporary one unless told."""
    genesis: Path | None = None
    """Genesis file; genesis.json in the data directory when not set."""
    local_da_dir: Path | None = None
    """Folder of the local DA layer; da in the data directory when not set. One node writes there."""
    engine: Literal["auto", "native", "reference"] = "auto"
    """Execution engine; auto takes the native one where it is installed."""
    read_workers: int = field(default=2, metadata={"minimum": 1, "maximum": 64})
    """How many reads may execute code at once, such as eth_call and eth_estimateGas: threads of the native engine,
    traces among them; processes of the reference engine, and as many again for traces. Sends are soonest where there
    is one processor more."""
    idle_poll_ms: int = field(default=0, metadata={"minimum": 0, "maximum": 60_000})
    """How long after a transaction up to two processors are kept awake: waking them takes a single transaction longer
    than most of its way. 250 suits a machine of the node's own. It takes time from nobody, but what is left of them
    counts as used meanwhile, and where others leave nothing the process may take seconds to end. Never under a
    container's CPU quota. 0 is off."""
    disk_low_bytes: int = 512 * 1024 * 1024
    """Free disk space below which new transactions are refused; what was promised is still posted."""
    disk_full_bytes: int = 64 * 1024 * 1024
    """Free disk space below which no further block is opened."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a node, section by section."""

    node: NodeConfig = field(default_factory=NodeConfig)
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)
    block: PayloadConfig = field(default_factory=PayloadConfig)
    mempool: MempoolConfig = field(default_factory=MempoolConfig)
    batch: BatcherConfig = field(default_factory=BatcherConfig)
    da: SubmitterConfig = field(default_factory=SubmitterConfig)
    celestia: CelestiaConfig = field(default_factory=CelestiaConfig)
    ethereum: EthereumConfig = field(default_factory=EthereumConfig)
    fallback: FallbackConfig = field(default_factory=FallbackConfig)
    back_pressure: BackPressureConfig = field(default_factory=BackPressureConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    rpc: RpcConfig = field(default_factory=RpcConfig)
    signer: SignerConfig = field(default_factory=SignerConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    sequence_log: SequenceLogConfig = field(default_factory=SequenceLogConfig)
    log: LogConfig = field(default_factory=LogConfig)


def load(
    file: Path | None = None, flags: tuple[Flag, ...] = (), environment: Mapping[str, str] | None = None
) -> Loaded[Settings]:
    """The settings in force: flag > environment > file > default. Raises ``ConfigError``.

    Without ``file``, the one that ``SEQUENCER_CONFIG`` names is read, if any.
    """
    environment = os.environ if environment is None else environment
    if file is None and environment.get(CONFIG_VARIABLE):
        file = Path(environment[CONFIG_VARIABLE])
    loaded = config_load.load(Settings, file=file, environment=environment, flags=flags)
    check(loaded.settings)
    return loaded


def check(settings: Settings) -> None:
    """What no single key can tell. Raises ``ConfigError``."""
    if settings.block.block_time_ms < settings.block.flashblock_interval_ms:
        raise ConfigError(
            "block.flashblock_interval_ms",
            settings.block.flashblock_interval_ms,
            f"must not be longer than block.block_time_ms ({settings.block.block_time_ms})",
        )
    ports = settings.rpc.port, settings.metrics.port
    if ports[0] == ports[1] != 0:
        raise ConfigError("metrics.port", settings.metrics.port, "is taken by rpc.port")
