"""``sequencer derive``: rebuild a chain from what is public."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, result, result_json
from sequencer.cli.run import read_genesis
from sequencer.core.encoding import data
from sequencer.core.errors import ConfigError
from sequencer.lifecycle import hold_data_directory

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "derive",
        _derive,
        summary="rebuild a chain from data availability and genesis alone",
        description="""\
Read the batches on a data availability layer, check them, execute every block again from the genesis, and print
the head that anyone must come to. Nothing else of the node that made the chain is read.""",
        examples="""\
  sequencer derive --da chain/da --data-dir derived
  sequencer derive --da chain/da --data-dir derived --to 100 --json""",
    )
    parser.add_argument("--da", type=Path, required=True, metavar="DIR", help="folder of the local layer")
    parser.add_argument("--genesis", type=Path, metavar="FILE", help="genesis file (default: genesis.json in --da)")
    parser.add_argument("--data-dir", type=Path, required=True, metavar="NEW", help="new folder for the derived state")
    parser.add_argument("--to", type=_block_number, metavar="BLOCK", help="stop after this block (default: the last)")
    parser.add_argument("--engine", choices=("auto", "native", "reference"), default="auto", help="default: auto")
    add_json(parser)


def _derive(arguments: argparse.Namespace) -> int:
    if not arguments.da.is_dir():
        raise ConfigError("--da", str(arguments.da), "is not a folder of the local layer")
    genesis = read_genesis(arguments.genesis or arguments.da / "genesis.json")
    if arguments.data_dir.is_dir() and any(arguments.data_dir.iterdir()):
        raise ConfigError("--data-dir", str(arguments.data_dir), "must be new or empty")
    from sequencer import node

    with hold_data_directory(arguments.data_dir) as directory:
        head = asyncio.run(
            node.derive(da_dir=arguments.da, genesis=genesis, lock=directory, to=arguments.to, engine=arguments.engine)
        )
    if arguments.json:
        document = {"headNumber": head.number, "headHash": data(head.hash), "stateRoot": data(head.state_root)}
        result_json(document)
    else:
        result(f"head {head.number}  {data(head.hash)}  state root {data(head.state_root)}")
    return Exit.DONE


def _block_number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number
