"""``sequencer derive``: rebuild a chain from what is public."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli import layers
from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, result, result_json
from sequencer.cli.progress import ProgressBar
from sequencer.cli.run import read_genesis
from sequencer.core.encoding import data
from sequencer.core.errors import ConfigError
from sequencer.core.genesis import Genesis
from sequencer.lifecycle import hold_data_directory

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands
    from sequencer.derivation import DerivationSource


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
  sequencer derive --da chain/da --data-dir derived --to 100 --json
  sequencer derive --da ethereum --l1-url http://localhost:8545 --genesis chain/genesis.json --data-dir derived""",
    )
    help_text = "folder of the local layer, or celestia or ethereum"
    parser.add_argument("--da", required=True, metavar="DIR|LAYER", help=help_text)
    parser.add_argument("--genesis", type=Path, metavar="FILE", help="genesis file (default: genesis.json in a folder)")
    parser.add_argument("--data-dir", type=Path, required=True, metavar="NEW", help="new folder for the derived state")
    parser.add_argument("--to", type=_block_number, metavar="BLOCK", help="stop after this block (default: the last)")
    parser.add_argument("--engine", choices=("auto", "native", "reference"), default="auto", help="default: auto")
    layers.add_layer_flags(parser)
    add_json(parser)


def _source(arguments: argparse.Namespace) -> tuple["DerivationSource", Genesis]:
    """Where to read, and the genesis of what stands there."""
    from sequencer.derivation import DerivationSource

    settings = layers.reading_settings(arguments)
    folder = Path(arguments.da)
    if arguments.da not in layers.LAYERS[1:]:
        if not folder.is_dir():
            raise ConfigError("--da", arguments.da, "is not a folder of the local layer, nor celestia or ethereum")
        return DerivationSource(folder, settings), read_genesis(arguments.genesis or folder / "genesis.json")
    if arguments.genesis is None:
        raise ConfigError("--genesis", "", f"is needed with --da {arguments.da}")
    genesis = read_genesis(arguments.genesis)
    if layers.layer_name(genesis.spec.da) != arguments.da:
        reason = f"the chain's genesis names {layers.layer_name(genesis.spec.da)}"
        raise ConfigError("--da", arguments.da, reason)
    return DerivationSource(None, settings), genesis


def _derive(arguments: argparse.Namespace) -> int:
    source, genesis = _source(arguments)
    if arguments.data_dir.is_dir() and any(arguments.data_dir.iterdir()):
        raise ConfigError("--data-dir", str(arguments.data_dir), "must be new or empty")
    from sequencer import node

    with hold_data_directory(arguments.data_dir) as directory, ProgressBar("deriving") as bar:
        head = asyncio.run(
            node.derive(
                source,
                genesis,
                directory,
                to=arguments.to,
                engine=arguments.engine,
                on_progress=lambda at: bar.show(at.share, f"block {at.block}"),
            )
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
