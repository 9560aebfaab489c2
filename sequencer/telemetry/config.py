"""Settings of logs and of the metrics server."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Logs, which go to standard error, one event a line."""

    format: Literal["auto", "console", "json"] = "auto"
    """How events are written; auto is console on a terminal and json elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe events that are written."""


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """The HTTP server for Prometheus (/metrics) and probes (/livez, /readyz, /healthz)."""

    host: str = "127.0.0.1"
    """Address to listen on. It has no authentication: keep it inside your own network."""
    port: int = 9464
    """Port to listen on; 0 means any free one."""
