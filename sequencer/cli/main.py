"""The parser of all commands, and the way from an error to an exit code."""

import argparse
import sys
from collections.abc import Sequence

from sequencer.cli import audit, config, db, derive, devnet, evidence, guard, init, keys, preconf, statetest, version
from sequencer.cli import run as run_command
from sequencer.cli.output import Exit, causes, complain, exit_code
from sequencer.core.errors import SequencerError

_DESCRIPTION = """\
A rollup sequencer node: it orders Ethereum transactions, executes them, answers with signed
pre-confirmations, seals blocks and publishes them for data availability.

Start here:  sequencer devnet        a chain for development, ready in seconds, with funded accounts
Operators:   sequencer init          a first configuration, key and genesis
             sequencer config check  then: sequencer run
"""

_EPILOG = """\
Every command explains itself: sequencer COMMAND --help.
Results go to standard output, logs to standard error.
exit codes: 0 done or holds, 1 checked and does not hold, 2 usage or configuration, 3 unreachable or temporary
"""


_COMMANDS = (
    devnet,
    run_command,
    init,
    derive,
    audit,
    preconf,
    evidence,
    guard,
    db,
    config,
    keys,
    statetest,
    version,
)
"""In the order of ``--help``."""


def parser() -> argparse.ArgumentParser:
    """The command line with every command."""
    root = argparse.ArgumentParser(
        prog="sequencer",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.register(commands)
    return root


def run(argv: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.handler(arguments))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.FAILED
    except (SequencerError, BaseExceptionGroup) as error:
        return _explain(error)


def _explain(error: BaseException) -> int:
    expected = [cause for cause in causes(error) if isinstance(cause, SequencerError)]
    if not expected:
        raise error
    for cause in expected:
        complain(f"error: {cause}")
    return exit_code(expected[0])
