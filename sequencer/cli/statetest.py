"""``sequencer statetest``: run execution-spec-tests state tests, as the other clients' commands of this name do."""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.arguments import add_command
from sequencer.cli.output import Exit, result, result_json
from sequencer.core.errors import ConfigError

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "statetest",
        _statetest,
        summary="run state_test files of execution-spec-tests",
        description="""\
Run every case of state_test files, or of all such files below a folder, on one engine: a line a case, or a JSON
object a case with --json. The last line is always the plain text `N passed, M failed`, with `, K skipped` when cases
were skipped because the engine lacks their fork; a skipped case is never a passed one. Exits 1 when a case fails.""",
        examples="""\
  sequencer statetest fixtures/state_tests
  sequencer statetest --engine reference --fork prague fixtures/state_tests/prague""",
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="file, or folder of files")
    parser.add_argument("--engine", choices=("auto", "native", "reference"), default="auto", help="default: auto")
    parser.add_argument("--fork", metavar="NAME", help="run the cases of this fork alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object a case")


def _statetest(arguments: argparse.Namespace) -> int:
    from execution import selection, statetest

    engine = arguments.engine
    if engine == "auto":
        engine = "native" if selection.native_is_installed() else "reference"
    elif engine == "native" and not selection.native_is_installed():
        raise ConfigError("--engine", engine, "the native engine is not installed: `make native` builds it")
    host = statetest.host(engine)
    fork = arguments.fork.lower() if arguments.fork else None
    counts: Counter[str] = Counter()
    for file in _files(arguments.paths):
        for case in statetest.load_cases(file):
            if fork is not None and case.fork != fork:
                continue
            outcome = statetest.run_case(case, host)
            counts[outcome.status] += 1
            if arguments.json:
                document = {"name": outcome.name, "fork": outcome.fork, "pass": outcome.status == "passed"}
                result_json(document | {"status": outcome.status, "reason": outcome.reason})
            else:
                result(f"{outcome.status:7} {outcome.fork:8} {outcome.name}  {outcome.reason}".rstrip())
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    result(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return Exit.FAILED if counts["failed"] else Exit.DONE


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.json"))
        elif path.is_file():
            yield path
        else:
            raise ConfigError("PATH", str(path), "is neither a file nor a folder")
