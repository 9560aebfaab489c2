"""One value at a time: what each type takes, and what it says when it does not."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from sequencer.config_schema import Key
from sequencer.config_values import describe, parse, render, shown


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def key(name: str, kind: Any, *, secret: bool = False, bounds: tuple[float | None, float | None] = (None, None)) -> Key:
    return Key(("part", name), kind, "", secret, bounds)


@pytest.mark.parametrize(
    ("name", "kind", "value", "expected"),
    [
        ("count", int, 7, 7),
        ("count", int, "7", 7),
        ("count", int, "1_000", 1000),
        ("count", int, "-3", -3),
        ("share", float, 1, 1.0),
        ("share", float, "0.25", 0.25),
        ("share", float, 0.25, 0.25),
        ("flag", bool, True, True),
        ("flag", bool, "false", False),
        ("name", str, "x", "x"),
        ("name", str, "", ""),
        ("place", Path, "a/b", Path("a/b")),
        ("place", Path | None, "a", Path("a")),
        ("place", Path | None, "", None),
        ("names", tuple[str, ...], ["a", "b"], ("a", "b")),
        ("names", tuple[str, ...], "a, b,", ("a", "b")),
        ("names", tuple[str, ...], "", ()),
        ("choice", Literal["a", "b"], "b", "b"),
        ("choice", Colour, "blue", Colour.BLUE),
        ("wait_ms", int, "250ms", 250),
        ("wait_ms", int, "2s", 2000),
        ("wait_ms", int, "1.5s", 1500),
        ("wait_ms", int, "1m", 60_000),
        ("wait_ms", int, 5, 5),
        ("wait_s", float, "500ms", 0.5),
        ("wait_s", int, "1h", 3600),
        ("size_bytes", int, "5MiB", 5 * 1024**2),
        ("size_bytes", int, "0.5KiB", 512),
        ("size_bytes", int, "12B", 12),
    ],
)
def test_parses(name: str, kind: Any, value: object, expected: object) -> None:
    parsed = parse(key(name, kind), value)
    assert parsed == expected
    assert type(parsed) is type(expected)


@pytest.mark.parametrize(
    ("name", "kind", "value", "reason"),
    [
        ("count", int, "seven", "expected a number"),
        ("count", int, 1.5, "expected integer"),
        ("count", int, "1.5", "expected a whole number"),
        ("count", int, True, "expected integer"),
        ("count", int, [1], "expected integer"),
        ("count", int, "2s", "expected a number"),
        ("share", float, "nan", "expected a number"),
        ("share", float, "inf", "expected a number"),
        ("share", float, True, "expected number"),
        ("flag", bool, "yes", "expected true or false"),
        ("flag", bool, 1, "expected true or false"),
        ("name", str, 5, "expected text"),
        ("place", Path, 5, "expected path"),
        ("names", tuple[str, ...], 5, "expected a list of texts"),
        ("choice", Literal["a", "b"], "c", "expected one of a, b"),
        ("choice", Colour, "green", "expected one of red, blue"),
        ("wait_ms", int, "2 parsecs", "expected a duration like 250ms, 2s or 5m"),
        ("wait_ms", int, "0.1ms", "expected a whole number"),
        ("size_bytes", int, "5MB", "expected a size like 512KiB or 5MiB"),
    ],
)
def test_refuses(name: str, kind: Any, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(key(name, kind), value)


@pytest.mark.parametrize(("value", "reason"), [(0, "must be at least 1"), (11, "must be at most 10")])
def test_keeps_bounds(value: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(key("count", int, bounds=(1, 10)), value)


def test_renders_toml() -> None:
    assert render(True) == "true"
    assert render(1.5) == "1.5"
    assert render(Colour.RED) == '"red"'
    assert render(("a", 'b"')) == r'["a", "b\""]'
    assert render(Path("/x y")) == '"/x y"'


def test_shows_no_secret() -> None:
    assert shown(key("name", str, secret=True), "hunter2") == "(redacted)"
    assert shown(key("url", str), "http://me:hunter2@host/x") == '"http://(redacted)@host/x"'
    assert shown(key("place", Path | None), None) == "(none)"


def test_describes_types() -> None:
    assert describe(Path | None) == "path (optional)"
    assert describe(tuple[str, ...]) == "list of texts"
