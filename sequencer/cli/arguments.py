"""Arguments that several commands share, and how they become settings."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sequencer import config
from sequencer.config_load import Flag, Loaded, parse_assignment

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - no public name exists

Handler: TypeAlias = Callable[[argparse.Namespace], int]


def add_command(
    commands: "Commands", name: str, handler: Handler, *, summary: str, description: str, examples: str = ""
) -> argparse.ArgumentParser:
    """A sub-command whose ``--help`` shows ``description`` and ``examples`` as they are written."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(handler=handler)
    return parser


def add_settings(parser: argparse.ArgumentParser) -> None:
    """``--config`` and ``--set``."""
    group = parser.add_argument_group("settings", "flag > SEQUENCER_SECTION__KEY in the environment > file > default")
    group.add_argument("--config", type=Path, metavar="FILE", help="TOML file (environment: SEQUENCER_CONFIG)")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="set one key, such as --set rpc.port=8546; may be repeated",
    )


def add_json(parser: argparse.ArgumentParser, what: str = "print one JSON object as the last line") -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help=what)


def settings_of(arguments: argparse.Namespace) -> Loaded[config.Settings]:
    """The settings that ``--config``, ``--set`` and the environment amount to. Raises ``ConfigError``."""
    flags = tuple(parse_assignment(text) for text in arguments.set)
    return config.load(arguments.config, flags)


def named_flags(arguments: argparse.Namespace, keys: dict[str, str]) -> tuple[Flag, ...]:
    """The flags that were given, as settings: ``keys`` maps ``--flag`` to the key it sets."""
    found = []
    for flag, key in keys.items():
        value = getattr(arguments, flag.removeprefix("--").replace("-", "_"))
        if value is not None:
            found.append(Flag(key, flag, value))
    return tuple(found)
