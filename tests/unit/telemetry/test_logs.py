"""Logs: one event a line, JSON or readable, and no secret in either."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sequencer.telemetry import logs
from sequencer.telemetry.config import LogConfig


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(config: LogConfig) -> tuple[io.StringIO, structlog.stdlib.BoundLogger]:
    stream = io.StringIO()
    logs.configure(config, stream)
    return stream, structlog.get_logger("part")


def test_json_has_one_object_a_line() -> None:
    stream, log = logged(LogConfig(format="json"))
    log.info("block sealed", number=5, hash=b"\x01\x02")
    log.warning("slow", seconds=0.5)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["level"], first["number"], first["hash"]) == ("block sealed", "info", 5, "0x0102")
    assert (second["event"], second["level"]) == ("slow", "warning")
    assert first["timestamp"].endswith("Z")


def test_off_a_terminal_auto_is_json() -> None:
    stream, log = logged(LogConfig())
    log.info("x")
    assert json.loads(stream.getvalue())["event"] == "x"


def test_the_console_is_readable() -> None:
    stream, log = logged(LogConfig(format="console"))
    log.info("block sealed", number=5)
    assert "block sealed" in stream.getvalue()
    assert "number=5" in stream.getvalue()


def test_the_level_is_kept() -> None:
    stream, log = logged(LogConfig(level="warning"))
    log.info("quiet")
    log.error("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_libraries_log_in_the_same_form() -> None:
    stream, _ = logged(LogConfig(format="json"))
    logging.getLogger("aiohttp.server").error("broken %s", "pipe")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("broken pipe", "error")


@pytest.mark.parametrize("config", [LogConfig(format="json"), LogConfig(format="console")])
def test_no_secret_is_written(config: LogConfig) -> None:
    stream, log = logged(config)
    log.info(
        "starting",
        password="hunter2",
        api_token="hunter2",
        privateKey="hunter2",
        settings={"jwt_secret": "hunter2", "deep": [{"passphrase": "hunter2"}]},
        url="http://me:hunter2@host/path",
    )
    assert "hunter2" not in stream.getvalue()
    assert "starting" in stream.getvalue()
    assert "host/path" in stream.getvalue()


def test_an_exception_is_one_event() -> None:
    stream, log = logged(LogConfig(format="json"))
    try:
        {}["boom"]
    except KeyError:
        log.exception("failed")
    assert "boom" in json.loads(stream.getvalue())["exception"]
