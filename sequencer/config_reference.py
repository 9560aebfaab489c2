"""Writes the settings out: the commented reference file, and what is in force with its origin."""

import textwrap
from collections.abc import Iterator, Mapping

from sequencer import config_values
from sequencer.config_schema import keys, sections, summary

_INTRODUCTION = """\
Every setting of the node with its default. Generated from the code by `sequencer config reference`.

A setting is found in this order: command line flag, environment variable, this file, default. The
environment variable of rpc.port is SEQUENCER_RPC__PORT. Durations may be written "250ms", "2s" or "5m",
sizes "512KiB" or "5MiB"; a bare number is in the unit that ends the key's name. Relative paths start at the
folder of this file. What is commented out has no value by default."""


def reference(root: type) -> str:
    """The reference file's text: every section and key of ``root`` with its documentation and default."""
    return "\n".join(_reference_lines(root)) + "\n"


def in_force(settings: object, origins: Mapping[str, str] | None = None) -> str:
    """Every key and value as TOML lines, secrets left out, with the origin as a comment when given."""
    lines = []
    for key in keys(type(settings)):
        line = f"{key.name} = {config_values.shown(key, key.read(settings))}"
        lines.append(f"{line}  # {origins[key.name]}" if origins is not None else line)
    return "\n".join(lines)


def in_force_json(settings: object, origins: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """As ``in_force``, as one object: ``{key: {"value", "origin"}}``."""
    return {
        key.name: {"value": config_values.shown(key, key.read(settings)), "origin": origins[key.name]}
        for key in keys(type(settings))
    }


def _reference_lines(root: type) -> Iterator[str]:
    default = root()
    yield from (f"# {line}".rstrip() for line in _INTRODUCTION.splitlines())
    by_section: dict[tuple[str, ...], list[str]] = {}
    for key in keys(root):
        lines = by_section.setdefault(key.path[:-1], [])
        lines.extend(_comment(f"{key.doc} [{config_values.describe(key.kind)}]".lstrip()))
        value = key.read(default)
        text = '""' if value is None else config_values.render(value)
        lines.append(f"{'# ' if value is None else ''}{key.path[-1]} = {text}")
    for path, owner in sections(root):
        yield ""
        yield from _comment(summary(owner))
        yield f"[{'.'.join(path)}]"
        yield from by_section.get(path, ())


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 116)]
