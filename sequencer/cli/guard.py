"""``sequencer guard``: carry what a key has signed to another machine, and see it."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sequencer import config
from sequencer.cli.arguments import add_command, add_json, add_settings
from sequencer.cli.output import Exit, checksummed, complain, result, result_json
from sequencer.config_load import Flag, parse_assignment
from sequencer.core.errors import ConfigError
from sequencer.lifecycle import DataDirectory, hold_data_directory

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands
    from sequencer.preconf.guard_file import GuardFile
    from sequencer.preconf.interchange import GuardRecord

_FILE_LIMIT_BYTES = 256 << 20


def register(commands: "Commands") -> None:
    """Add the group."""
    group = commands.add_parser(
        "guard",
        help="carry the record of what a key has signed to another machine",
        description=(
            "The guard is the record of what a key has signed. Whoever moves a node to another machine or disk takes "
            "it along: without it a node signs nothing, lest it contradict itself."
        ),
    )
    inner = group.add_subparsers(metavar="COMMAND", required=True)
    export = add_command(
        inner,
        "export",
        _export,
        summary="write the guards of a data directory as JSON",
        description="""\
Write what each key of a data directory has signed, as JSON. The node must be stopped: a guard of a running node
is out of date as soon as it is written. It also reads a copied or restored guard, which a node would refuse.""",
        examples="""\
  sequencer guard export guard.json --data-dir node
  sequencer guard export - --config node/config.toml""",
    )
    export.add_argument("file", metavar="FILE|-", help="file to write, which must not exist, or - for standard output")
    given = add_command(
        inner,
        "import",
        _import,
        summary="raise the guards of a data directory, and let this copy count",
        description="""\
Merge exported guards into a data directory, whose node must be stopped. Watermarks only rise; where the two
contradict each other nothing is changed. A guard that was copied or restored counts from then on: make sure that
no other node signs with this key any more.""",
        examples="  sequencer guard import guard.json --data-dir node",
    )
    given.add_argument("file", metavar="FILE|-", help="an export, or - for standard input")
    for parser in (export, given):
        parser.add_argument("--data-dir", metavar="DIR", help="the data directory (default: node.data_dir)")
        add_settings(parser)
        add_json(parser)


def _export(arguments: argparse.Namespace) -> int:
    from sequencer.preconf import interchange

    with _data_directory(arguments) as directory, _guards(directory) as guards:
        if not guards:
            raise ConfigError("--data-dir", str(directory.path), "holds no guard: no key has signed there")
        records = [guard.record for guard in guards]
    text = json.dumps(interchange.to_json(records), indent=1)
    if arguments.file == "-":
        result(text)
    else:
        _write_new(Path(arguments.file), text + "\n")
        _report(arguments, records)
    return Exit.DONE


def _import(arguments: argparse.Namespace) -> int:
    from sequencer.consensus.local.files import OS_FILES
    from sequencer.preconf import interchange
    from sequencer.preconf.guard import GuardState, SignedBatch
    from sequencer.preconf.guard_file import GuardFile
    from sequencer.preconf.twin import home_of

    given = interchange.from_json(_read(arguments.file))
    with _data_directory(arguments) as directory, _guards(directory) as guards:
        by_chain = {guard.chain: guard for guard in guards}
        merged = []
        for record in given:
            here = by_chain.get(record.chain)
            known = here.record if here else interchange.GuardRecord(record.chain, GuardState(), {})
            merged.append((record.chain, interchange.merged(known, record)))
        for chain, (state, batches) in merged:
            guard = by_chain.get(chain)
            if guard is None:
                guard = by_chain[chain] = GuardFile(directory.path / "guard", chain, OS_FILES, home_of)
                if guard.exists:
                    raise ConfigError("--data-dir", str(guard.path), "guards another genesis; nothing was imported")
                guard.create()
                guards.append(guard)
            if state != guard.state:
                guard.write(state)
            for sequence, struct_hash in batches.items():
                if sequence not in guard.batches:
                    guard.write_batch(SignedBatch(sequence, struct_hash))
            guard.settle_here()
        _report(arguments, [by_chain[chain].record for chain, _ in merged])
    complain("this data directory counts now: make sure that no other node signs with these keys")
    return Exit.DONE


@contextmanager
def _data_directory(arguments: argparse.Namespace) -> Iterator[DataDirectory]:
    flags = tuple(parse_assignment(text) for text in arguments.set)
    if arguments.data_dir is not None:
        flags += (Flag("node.data_dir", "--data-dir", arguments.data_dir),)
    path = config.load(arguments.config, flags).settings.node.data_dir
    if not path.is_dir():
        raise ConfigError("node.data_dir", str(path), "is not a folder")
    with hold_data_directory(path) as directory:
        yield directory


@contextmanager
def _guards(directory: DataDirectory) -> "Iterator[list[GuardFile]]":
    """Every guard of the directory, opened wherever it was made."""
    from sequencer.consensus.local.files import OS_FILES
    from sequencer.preconf.guard_file import find_guards
    from sequencer.preconf.twin import home_of

    guards: list[GuardFile] = []
    try:
        for guard in find_guards(directory.path / "guard", OS_FILES, home_of):
            guard.open(anywhere=True)
            guards.append(guard)
        yield guards
    finally:
        for guard in guards:
            guard.close()


def _read(source: str) -> object:
    if source == "-":
        text = sys.stdin.read(_FILE_LIMIT_BYTES)
    else:
        try:
            with Path(source).open(encoding="utf-8") as file:
                text = file.read(_FILE_LIMIT_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            raise ConfigError("FILE", source, reason) from None
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("FILE", source, "is not JSON") from None
    return document


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError("FILE", str(path), error.strerror or "cannot be written") from None


def _report(arguments: argparse.Namespace, records: "list[GuardRecord]") -> None:
    rows: list[dict[str, Any]] = []
    for record in records:
        newest = record.state.newest
        rows.append(
            {
                "key": checksummed(record.chain.key),
                "chainId": record.chain.chain_id,
                "blockNumber": newest.block_number if newest else None,
                "index": newest.index if newest else None,
                "batch": max(record.batches, default=None),
            }
        )
    if arguments.json:
        result_json({"guards": rows})
        return
    for row in rows:
        signed = "nothing" if row["blockNumber"] is None else f"block {row['blockNumber']}, flashblock {row['index']}"
        result(f"{row['key']}  chain {row['chainId']}  signed {signed}, batch {row['batch'] or 'none'}")
