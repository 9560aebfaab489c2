"""One value at a time: from TOML or text to the type of its field, and back to TOML.

Durations may be written with their unit (``1000ms``, ``2s``, ``5m``, ``1h``) for keys that end in ``_ms`` or
``_s``, sizes with theirs (``512KiB``, ``5MiB``, ``2GiB``) for keys that end in ``_bytes``; a bare number is
in the key's own unit.
"""

import json
import re
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from sequencer.config_schema import Key

REDACTED: Final = "(redacted)"

_MEASURE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)")
_SECONDS: Final = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}
_BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")


def parse(key: Key, value: object) -> object:
    """``value``, from TOML or text, as the key's type. Raises ``ValueError`` whose text is the reason."""
    parsed = _parse(key, key.kind, value)
    low, high = key.bounds
    if isinstance(parsed, int | float) and not isinstance(parsed, bool):
        if low is not None and parsed < low:
            raise ValueError(f"must be at least {low:g}")
        if high is not None and parsed > high:
            raise ValueError(f"must be at most {high:g}")
    return parsed


def describe(kind: Any) -> str:
    """A type in words that an operator reads: ``integer``, ``one of a, b``, ``path (optional)``."""
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(describe(member) for member in get_args(kind) if member is not NoneType) + " (optional)"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {describe(get_args(kind)[0])}s"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(choice.value) for choice in kind)
    return {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}[kind]


def render(value: object) -> str:
    """A value as TOML writes it; of use for every type that ``parse`` makes but None."""
    match value:
        case bool():
            return "true" if value else "false"
        case Enum():
            return render(value.value)
        case int() | float():
            return repr(value)
        case tuple():
            return "[" + ", ".join(render(item) for item in value) + "]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)


def shown(key: Key, value: object) -> str:
    """A value as it may be shown to anyone: secrets and credentials in URLs are left out."""
    if value is None:
        return "(none)"
    return REDACTED if key.secret else _USERINFO.sub(REDACTED + "@", render(value))


def _parse(key: Key, kind: Any, value: object) -> object:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        if value == "":
            return None
        return _parse(key, next(member for member in get_args(kind) if member is not NoneType), value)
    if origin is tuple:
        items = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        if not isinstance(items, list):
            raise ValueError(f"expected a {describe(kind)}")
        return tuple(_parse(key, get_args(kind)[0], item) for item in items)
    if origin is Literal:
        return _choice(kind, {str(choice): choice for choice in get_args(kind)}, value)
    if issubclass(kind, Enum):
        return _choice(kind, {str(choice.value): choice for choice in kind}, value)
    return _scalar(key, kind, value)


def _choice(kind: Any, choices: dict[str, Any], value: object) -> object:
    if str(value) not in choices:
        raise ValueError(f"expected {describe(kind)}")
    return choices[str(value)]


def _scalar(key: Key, kind: type, value: object) -> object:
    if kind is bool:
        if value in ("true", "false"):
            return value == "true"
        if isinstance(value, bool):
            return value
    elif kind in (int, float):
        return _number(key, kind, value)
    elif isinstance(value, str):
        return kind(value)
    raise ValueError(f"expected {describe(kind)}")


def _number(key: Key, kind: type, value: object) -> int | float:
    if isinstance(value, str):
        value = _measured(key, value)
    match value:
        case int() | float() | Fraction() if kind is float and not isinstance(value, bool):
            return float(value)
        case int() | Fraction() if not isinstance(value, bool):
            if value != int(value):
                raise ValueError("expected a whole number")
            return int(value)
        case _:
            raise ValueError(f"expected {describe(kind)}")


def _measured(key: Key, text: str) -> int | Fraction:
    text = text.strip()
    plain = text.replace("_", "")
    if re.fullmatch(r"[+-]?[0-9]+", plain):
        return int(plain)
    if re.fullmatch(r"[+-]?[0-9]*\.[0-9]+", plain):
        return Fraction(plain)
    match = _MEASURE.fullmatch(text)
    name = key.path[-1]
    if match and name.endswith(("_ms", "_s")) and match[2] in _SECONDS:
        return Fraction(match[1]) * _SECONDS[match[2]] * (1000 if name.endswith("_ms") else 1)
    if match and name.endswith("_bytes") and match[2] in _BYTES:
        return Fraction(match[1]) * _BYTES[match[2]]
    if name.endswith(("_ms", "_s")):
        raise ValueError("expected a duration like 250ms, 2s or 5m")
    if name.endswith("_bytes"):
        raise ValueError("expected a size like 512KiB or 5MiB")
    raise ValueError("expected a number")
