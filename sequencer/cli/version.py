"""``sequencer version``."""

import argparse
import platform
from typing import TYPE_CHECKING

from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, result, result_json
from sequencer.core.native_extension import native_extension
from sequencer.telemetry.metrics import version

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "version",
        _version,
        summary="print the version and the engines that are installed",
        description="Print the version of this program, of Python, and the execution engines that are installed.",
        examples="  sequencer version --json",
    )
    add_json(parser)


def _version(arguments: argparse.Namespace) -> int:
    engines = [*(["native"] if native_extension() is not None else []), "reference"]
    if arguments.json:
        result_json({"version": version(), "python": platform.python_version(), "engines": engines})
    else:
        result(f"rollup-sequencer {version()} (Python {platform.python_version()}; engines: {', '.join(engines)})")
    return Exit.DONE
