"""``sequencer audit``: was the declared ordering policy kept?"""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli import node_client
from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, result, result_json
from sequencer.cli.run import read_genesis
from sequencer.core.encoding import data
from sequencer.core.errors import ConfigError

if TYPE_CHECKING:
    from sequencer.auditing import AuditedChain, Report
    from sequencer.cli.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "audit",
        _audit,
        summary="check that blocks keep the declared ordering policy",
        description="""\
Replay blocks with their arrival records against the ordering policy that the chain declares, and name the first
transaction of each block that stands where it must not.

The records are the sequencer's own word, given on DA (--da) or by its node (--rpc). Receipts that it signed for
senders (sequencer_getReceived) are a second source: with --receipts, a record that says otherwise is a violation.

rules: order       stands where another transaction, which was there and ranks before it, should stand
       early       placed before it was due
       ineligible  the policy does not let it into this block
       bundle      a bundle under a policy that takes none
       record      its record is not what the sequencer signed, or is another transaction's too
       policy      the block declares another policy

Exit 0 if the policy was kept, 1 if not, 2 for wrong usage or a policy that cannot be replayed, 3 if not all of
the blocks are there.""",
        examples="""\
  sequencer audit --from 1 --to 100 --da chain/da
  sequencer audit --from 1 --to 100 --rpc http://127.0.0.1:8545 --receipts receipts.jsonl --json""",
    )
    parser.add_argument("--from", dest="first", type=_block_number, required=True, metavar="N", help="first block")
    parser.add_argument("--to", dest="last", type=_block_number, required=True, metavar="M", help="last block")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--da", type=Path, metavar="DIR", help="folder of the local layer")
    source.add_argument("--rpc", metavar="URL", help="node that orders the chain; it remembers recent blocks")
    parser.add_argument("--genesis", type=Path, metavar="FILE", help="genesis file (default: genesis.json in --da)")
    parser.add_argument("--receipts", type=Path, metavar="FILE", help="receipts, one JSON object a line or an array")
    add_json(parser)


def _audit(arguments: argparse.Namespace) -> int:
    if arguments.first > arguments.last:
        raise ConfigError("--from", arguments.first, f"is after --to {arguments.last}")
    from sequencer import auditing

    chain = _chain(arguments)
    receipts = auditing.read_receipts(arguments.receipts, chain) if arguments.receipts else {}
    report = auditing.run(chain, arguments.first, arguments.last, receipts)
    if arguments.json:
        result_json(report.to_json())
    else:
        result(_describe(report, chain.rule.name))
    return Exit.DONE if report.kept else Exit.FAILED


def _chain(arguments: argparse.Namespace) -> "AuditedChain":
    from sequencer import auditing

    if arguments.rpc:
        if arguments.genesis:
            raise ConfigError("--genesis", str(arguments.genesis), "goes with --da")
        return auditing.from_node(partial(node_client.call, arguments.rpc))
    if not arguments.da.is_dir():
        raise ConfigError("--da", str(arguments.da), "is not a folder of the local layer")
    return auditing.from_folder(arguments.da, read_genesis(arguments.genesis or arguments.da / "genesis.json"))


def _describe(report: "Report", policy: str) -> str:
    """For people."""
    if report.kept:
        return f"kept: {report.blocks} blocks keep {policy}"
    lines = [
        f"block {v.block}, position {v.position}: {v.rule.value}  {data(v.transaction_hash)}" for v in report.violations
    ]
    return "\n".join([*lines, f"NOT kept: {len(report.violations)} of {report.blocks} blocks break {policy}"])


def _block_number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
