"""Settings from their four sources: flag > environment > file > default, with the origin of each value.

Nothing is ignored: an unknown key in the file, an unknown ``SEQUENCER_*`` variable and a value that does not
fit are all refused with ``ConfigError``, which names key, value and reason.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, get_type_hints

from sequencer import config_values
from sequencer.config_schema import ENVIRONMENT_PREFIX, Key, is_section, keys
from sequencer.core.errors import ConfigError

RESERVED_VARIABLES: Final = frozenset({"SEQUENCER_CONFIG"})
"""Variables of ours that are no settings: the path of the configuration file."""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Flag:
    """A value from the command line, with the spelling of the flag for error messages."""

    key: str
    flag: str
    value: object


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """Settings, and where each key's value came from, by key name."""

    settings: S
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    origin: str


def load(
    root: type[S], *, file: Path | None, environment: Mapping[str, str], flags: tuple[Flag, ...] = ()
) -> Loaded[S]:
    """The settings of dataclass ``root``. Relative paths of the file are taken from the file's own folder.

    Raises ``ConfigError`` for the first thing that is wrong.
    """
    known = {key.name: key for key in keys(root)}
    given: dict[str, _Given] = {}
    if file is not None:
        given |= _from_file(known, file)
    given |= _from_environment(known, environment)
    for flag in flags:
        key = _known(known, flag.key, flag.value)
        given[key.name] = _Given(_checked(key, flag.value, flag.flag), f"flag {flag.flag}")
    values = {name: entry.value for name, entry in given.items()}
    origins = {name: given[name].origin if name in given else "default" for name in known}
    return Loaded(_build(root, (), values), origins)


def parse_assignment(text: str) -> Flag:
    """``--set section.key=value`` of the command line."""
    key, separator, value = text.partition("=")
    if not separator:
        raise ConfigError("--set", text, "expected SECTION.KEY=VALUE")
    return Flag(key.strip(), f"--set {key.strip()}", value)


def _from_file(known: Mapping[str, Key], file: Path) -> dict[str, _Given]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("--config", str(file), error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("--config", str(file), f"is not TOML: {error}") from None
    given = {}
    for name, raw in _leaves(document, (), known):
        key = _known(known, name, raw)
        value = _checked(key, raw, str(file))
        if isinstance(value, Path):
            value = file.parent / value.expanduser()
        given[name] = _Given(value, f"file {file}")
    return given


def _leaves(table: Mapping[str, Any], path: tuple[str, ...], known: Mapping[str, Key]) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        place = (*path, name)
        if isinstance(value, dict):
            prefix = ".".join(place) + "."
            if not any(known_name.startswith(prefix) for known_name in known):
                raise ConfigError(".".join(place), "[...]", "unknown section" + _hint(place, known))
            yield from _leaves(value, place, known)
        else:
            yield ".".join(place), value


def _from_environment(known: Mapping[str, Key], environment: Mapping[str, str]) -> dict[str, _Given]:
    by_variable = {key.environment: key for key in known.values()}
    given = {}
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in RESERVED_VARIABLES:
            continue
        key = by_variable.get(variable)
        if key is None:
            close = difflib.get_close_matches(variable, by_variable, 1)
            hint = f", did you mean {close[0]}?" if close else ""
            raise ConfigError(variable, config_values.REDACTED, f"unknown environment variable{hint}")
        given[key.name] = _Given(_checked(key, environment[variable], variable), f"environment {variable}")
    return given


def _known(known: Mapping[str, Key], name: str, value: object) -> Key:
    if name not in known:
        raise ConfigError(name, value, "unknown key" + _hint(tuple(name.split(".")), known))
    return known[name]


def _hint(path: tuple[str, ...], known: Mapping[str, Key]) -> str:
    close = difflib.get_close_matches(".".join(path), [*known, *{key.path[0] for key in known.values()}], 1)
    return f", did you mean {close[0]}?" if close else ""


def _checked(key: Key, value: object, source: str) -> object:
    try:
        return config_values.parse(key, value)
    except ValueError as error:
        raise ConfigError(key.name, config_values.REDACTED if key.secret else value, f"{error} ({source})") from None


def _build(owner: type[S], path: tuple[str, ...], values: Mapping[str, object]) -> S:
    """An instance of ``owner`` whose fields are the given values, defaults elsewhere, sections first."""
    hints = get_type_hints(owner)
    arguments = {}
    for field in fields(owner):  # type: ignore[arg-type]
        place = (*path, field.name)
        if is_section(hints[field.name]):
            arguments[field.name] = _build(hints[field.name], place, values)
        elif ".".join(place) in values:
            arguments[field.name] = values[".".join(place)]
    try:
        return owner(**arguments)
    except ConfigError as error:  # a part names its own field; where its section stands is decided here
        raise ConfigError(".".join((*path, error.key.rpartition(".")[2])), error.value, error.reason) from None
    except ValueError as error:
        raise ConfigError(".".join(path), "[...]", str(error)) from None


def with_value(settings: S, name: str, value: object) -> S:
    """A copy of ``settings`` in which the key ``name`` (``section.key``) holds ``value``."""
    head, _, rest = name.partition(".")
    inner = with_value(getattr(settings, head), rest, value) if rest else value
    return replace(settings, **{head: inner})  # type: ignore[type-var]
