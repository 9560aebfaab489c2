"""``sequencer config``: look at the settings before the node does."""

import argparse
from typing import TYPE_CHECKING

from sequencer.cli.arguments import add_command, add_json, add_settings, settings_of
from sequencer.cli.output import Exit, result, result_json
from sequencer.config import Settings
from sequencer.config_reference import in_force, in_force_json, reference

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the group."""
    group = commands.add_parser(
        "config",
        help="show, check and document the settings",
        description="Settings come from flags, the environment and a TOML file, in this order.",
    )
    inner = group.add_subparsers(metavar="COMMAND", required=True)
    show = add_command(
        inner,
        "show",
        _show,
        summary="print the settings in force",
        description="Print every setting in force, one key a line. Secrets are left out.",
        examples="  sequencer config show --config config.toml --origin\n"
        "  SEQUENCER_RPC__PORT=9000 sequencer config show --origin",
    )
    add_settings(show)
    show.add_argument("--origin", action="store_true", help="say where each value comes from")
    add_json(show)
    check = add_command(
        inner,
        "check",
        _check,
        summary="check the settings without starting",
        description="Check file, environment and flags. Exit 0 when they hold; else exit 2 with key, value and reason.",
        examples="  sequencer config check --config config.toml",
    )
    add_settings(check)
    add_command(
        inner,
        "reference",
        _reference,
        summary="print every key with its documentation and default",
        description="Print a configuration file with every key, its documentation and its default.",
        examples="  sequencer config reference > config.toml",
    )


def _show(arguments: argparse.Namespace) -> int:
    loaded = settings_of(arguments)
    if arguments.json:
        result_json(in_force_json(loaded.settings, loaded.origins))
    else:
        result(in_force(loaded.settings, loaded.origins if arguments.origin else None))
    return Exit.DONE


def _check(arguments: argparse.Namespace) -> int:
    settings_of(arguments)
    result("the configuration holds")
    return Exit.DONE


def _reference(_arguments: argparse.Namespace) -> int:
    result(reference(Settings).rstrip("\n"))
    return Exit.DONE
