"""Structured logs: readable on a terminal, JSON for machines, always on standard error.

Standard output belongs to results. Values under names that speak of secrets are left out before an event is
written, whoever logged them; so are credentials in URLs.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from sequencer.telemetry.config import LogConfig

REDACTED: Final = "(redacted)"
_SECRET_NAME: Final = re.compile(r"password|passphrase|secret|token|private|mnemonic|authorization|jwt", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")
_DEPTH_LIMIT: Final = 6


def configure(config: LogConfig, stream: TextIO | None = None) -> None:
    """Send the events of this node and of the libraries it uses to ``stream``, standard error by default."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[config.level.upper()]
    console = config.format == "console" or (config.format == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    ends: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        without_secrets,
    ]
    if console:
        ends.append(_console_renderer(colors=stream.isatty()))
    else:
        ends += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=ends))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("aiohttp.access", "httpx", "httpcore"):  # a line a request drowns everything else
        logging.getLogger(name).setLevel(logging.WARNING)


def _console_renderer(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """Plain tracebacks: the pretty ones print local variables, and keys are among those."""
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def without_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor that replaces what an event must not show."""
    return {name: _clean(name, value, _DEPTH_LIMIT) for name, value in event.items()}


def _clean(name: str, value: object, depth: int) -> object:
    if _SECRET_NAME.search(name) and name != "event":
        return REDACTED
    if isinstance(value, str):
        return _USERINFO.sub(REDACTED + "@", value)
    if isinstance(value, dict):
        return {key: _clean(str(key), item, depth - 1) for key, item in value.items()} if depth else "..."
    if isinstance(value, list | tuple):
        return [_clean("", item, depth - 1) for item in value] if depth else "..."
    return "0x" + value.hex() if isinstance(value, bytes) else value
