"""The shape of the settings, read from the dataclasses themselves: keys, types, defaults and their docs.

Every part owns a frozen dataclass of its settings and ``sequencer.config`` composes them; nothing is said
twice. A key's documentation is the string below its field. A field may carry ``metadata`` of plain values:
``{"minimum": 0, "maximum": 10}`` bounds a number and ``{"secret": True}`` keeps a value out of every output.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Final, get_type_hints

ENVIRONMENT_PREFIX: Final = "SEQUENCER_"
ENVIRONMENT_SEPARATOR: Final = "__"

_SECRET_ENDINGS: Final = ("password", "secret", "token", "private_key")


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: where it stands, what it may hold, and what it means."""

    path: tuple[str, ...]
    kind: Any
    """The annotation of the field, resolved."""
    doc: str
    secret: bool
    bounds: tuple[float | None, float | None]
    """The least and greatest value allowed, both inclusive."""

    @property
    def name(self) -> str:
        """The key as it is written on the command line and in errors: ``rpc.port``."""
        return ".".join(self.path)

    @property
    def environment(self) -> str:
        """The environment variable of the key: ``SEQUENCER_RPC__PORT``."""
        return ENVIRONMENT_PREFIX + ENVIRONMENT_SEPARATOR.join(self.path).upper()

    def read(self, settings: object) -> object:
        """The key's value in an instance of the root dataclass."""
        for part in self.path:
            settings = getattr(settings, part)
        return settings


def keys(root: type) -> tuple[Key, ...]:
    """Every key below the dataclass ``root``, section by section in the order of the fields."""
    return tuple(_keys(root, ()))


def sections(root: type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type]]:
    """Every nested dataclass with its path, parents first, the root itself left out."""
    hints = get_type_hints(root)
    for field in fields(root):
        if is_section(hints[field.name]):
            yield (*path, field.name), hints[field.name]
            yield from sections(hints[field.name], (*path, field.name))


def is_section(kind: object) -> bool:
    """Whether a field of this type holds further keys instead of a value."""
    return isinstance(kind, type) and is_dataclass(kind)


def _keys(owner: type, path: tuple[str, ...]) -> Iterator[Key]:
    hints, docs = get_type_hints(owner), field_docs(owner)
    nested = []
    for field in fields(owner):
        place = (*path, field.name)
        if is_section(hints[field.name]):
            nested.append((hints[field.name], place))
            continue
        secret = bool(field.metadata.get("secret")) or field.name.endswith(_SECRET_ENDINGS)
        bounds = _bounds(field.name, field.metadata)
        yield Key(place, hints[field.name], docs.get(field.name, ""), secret, bounds)
    for kind, place in nested:
        yield from _keys(kind, place)


def _bounds(name: str, metadata: Mapping[str, Any]) -> tuple[float | None, float | None]:
    if name == "port" or name.endswith("_port"):
        return metadata.get("minimum", 0), metadata.get("maximum", 65535)
    measured = name.endswith(("_ms", "_s", "_bytes"))
    return metadata.get("minimum", 0 if measured else None), metadata.get("maximum")


@cache
def field_docs(owner: type) -> dict[str, str]:
    """The string literal below each field of a dataclass, joined to one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    docs = {}
    if isinstance(body, ast.ClassDef):
        for statement, following in zip(body.body, body.body[1:], strict=False):
            match statement, following:
                case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                    docs[name] = " ".join(text.replace("``", "").split())
    return docs


def summary(owner: type) -> str:
    """The first paragraph of a dataclass's docstring, joined to one line."""
    return " ".join((inspect.getdoc(owner) or "").replace("``", "").split("\n\n")[0].split())
