"""``sequencer db``: look after what a node keeps."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, result, result_json
from sequencer.cli.run import read_genesis
from sequencer.core.errors import ConfigError
from sequencer.core.genesis import Genesis
from sequencer.lifecycle import hold_data_directory

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands
    from sequencer.verification.comparison import Difference
    from sequencer.verification.reexecution import Witness


def register(commands: "Commands") -> None:
    """Add the command group."""
    group = commands.add_parser("db", help="verify what a node keeps", description="Verify what a node keeps.")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    parser = add_command(
        actions,
        "verify",
        _verify,
        summary="execute a stored chain again and name the first difference",
        description="""\
Execute the stored chain again from genesis, on each of the engines named, and compare every outcome and every header
with what is stored. The node must not run. Exits 1 at the first difference.""",
        examples="""\
  sequencer db verify --data-dir node
  sequencer db verify --data-dir node --engines native,reference --from 100 --to 200 --json""",
    )
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="data directory of a stopped node")
    parser.add_argument("--engines", default="reference", metavar="A,B", help="engines to use (default: reference)")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="N", help="first block (default: 1)")
    parser.add_argument("--to", type=int, dest="last", metavar="N", help="last block (default: the newest)")
    add_json(parser)


def _verify(arguments: argparse.Namespace) -> int:
    from sequencer.db_verify import first_difference
    from sequencer.storage.blocks import BlockStore
    from sequencer.storage.rocks import RocksStorage

    if not (arguments.data_dir / "genesis.json").is_file():
        raise ConfigError("--data-dir", str(arguments.data_dir), "holds no chain")
    with hold_data_directory(arguments.data_dir) as directory, RocksStorage(directory.path / "chain") as storage:
        genesis = read_genesis(directory.genesis_file)
        store = BlockStore(storage)
        head = store.head()
        last = head.number if head else 0
        if arguments.last is not None:
            last = min(last, arguments.last)
        with _witnesses(arguments.engines.split(","), genesis) as witnesses:
            found = first_difference(genesis.spec, store, witnesses, arguments.first, last)
    if arguments.json:
        result_json({"equal": found is None, "from": arguments.first, "to": last, "firstDifference": _json(found)})
    elif found is None:
        result(f"blocks {arguments.first} to {last} are equal on {arguments.engines}")
    else:
        place = f"block {found.block}" if found.position is None else f"block {found.block}, position {found.position}"
        result(f"{place}: {found.what} differs")
        for name, value in found.values.items():
            result(f"  {name:10} {value}")
    return Exit.DONE if found is None else Exit.FAILED


def _json(found: "Difference | None") -> dict[str, Any] | None:
    if found is None:
        return None
    return {"block": found.block, "position": found.position, "what": found.what, "values": dict(found.values)}


@contextmanager
def _witnesses(names: list[str], genesis: Genesis) -> "Iterator[dict[str, Witness]]":
    from execution.selection import open_engine
    from sequencer.senders import sender_recovery
    from sequencer.verification.reexecution import Witness

    forks = [fork.name for fork in genesis.spec.forks]
    with ExitStack() as stack:
        witnesses: dict[str, Witness] = {}
        for name in names:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sequencer-verify-")))
            engine = open_engine(name.strip(), folder, forks_needed=forks)
            stack.callback(engine.close)
            engine.open(genesis)
            witnesses[engine.name] = Witness(engine, sender_recovery(engine))
        yield witnesses
