"""``sequencer preconf``: verify a promise without trusting who made it."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sequencer.cli import node_client
from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, checksummed, result, result_json
from sequencer.cli.run import read_genesis
from sequencer.core.errors import ConfigError, Malformed, Temporary
from sequencer.core.flashblock import Check, Preconfirmation
from sequencer.core.preconf_json import TEXT_LIMIT, parse
from sequencer.preconf import verify
from sequencer.preconf.verify import KnownChain, PostedPlace, Verification

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands

_STATE: Final = {(True, True): "holds", (True, False): "open", (False, False): "FAILS"}


def register(commands: "Commands") -> None:
    """Add the group."""
    group = commands.add_parser(
        "preconf",
        help="verify pre-confirmations",
        description="A pre-confirmation is a sequencer's signed promise of a transaction's place and outcome.",
    )
    inner = group.add_subparsers(metavar="COMMAND", required=True)
    parser = add_command(
        inner,
        "verify",
        _verify,
        summary="verify a pre-confirmation, offline if need be",
        description="""\
Verify a pre-confirmation as sequencer_getPreconfirmation or eth_sendRawTransactionSync gave it. Five checks:

  signature  the stated sequencer signed this flashblock for this chain
  member     it is a sequencer of the chain              needs --genesis, --rpc or --da
  order      the transaction stands at this position
  outcome    its receipt has this hash
  posted     the batch that was published keeps it       needs --da

A check whose means are not at hand stays open, and so does "posted" until the promise is due; an open check is
no failure, except with --strict. Exit 0 when no check fails, 1 when one does.""",
        examples="""\
  sequencer preconf verify preconfirmation.json
  sequencer preconf verify preconfirmation.json --rpc http://127.0.0.1:8545
  sequencer preconf verify - --da chain/da --strict --json""",
    )
    parser.add_argument("source", metavar="FILE|-", help="file with the JSON, or - for standard input")
    known = parser.add_mutually_exclusive_group()
    known.add_argument("--genesis", type=Path, metavar="FILE", help="genesis file of the chain, for member")
    known.add_argument("--rpc", metavar="URL", help="node that is believed about the sequencer set, for member")
    parser.add_argument(
        "--da",
        type=Path,
        metavar="DIR",
        help="folder of the local layer, for posted; its genesis.json serves where --genesis is not given",
    )
    parser.add_argument("--strict", action="store_true", help="count an open check as one that fails")
    add_json(parser)


def _verify(arguments: argparse.Namespace) -> int:
    chain = _known_chain(arguments)
    try:
        preconfirmation = parse(_read(arguments.source))
    except Malformed as error:
        verification = verify.refusal(error)
    else:
        verification = verify.verify(preconfirmation, chain=chain, posted=_posted(arguments, preconfirmation))
    if arguments.strict:
        verification = verification.strict()
    if arguments.json:
        result_json(verification.to_json())
    else:
        result(_describe(verification))
    return Exit.DONE if verification.valid else Exit.FAILED


def _read(source: str) -> bytes:
    try:
        if source == "-":
            return sys.stdin.buffer.read(TEXT_LIMIT + 1)
        with Path(source).open("rb") as file:
            return file.read(TEXT_LIMIT + 1)
    except OSError as error:
        raise ConfigError("FILE", source, error.strerror or "cannot be read") from None


def _known_chain(arguments: argparse.Namespace) -> KnownChain | None:
    if arguments.rpc:
        return _ask(arguments.rpc)
    file = _genesis_file(arguments)
    if file is None:
        return None
    from sequencer.genesis_block import domain_of

    genesis = read_genesis(file)
    return KnownChain(domain_of(genesis), genesis.spec.sequencers)


def _genesis_file(arguments: argparse.Namespace) -> Path | None:
    file: Path | None = arguments.genesis
    if file is None and arguments.da is not None:
        return Path(arguments.da) / "genesis.json"
    return file


def _ask(url: str) -> KnownChain:
    """The domain and the sequencer set that a node states."""
    config = node_client.call(url, "sequencer_rollupConfig")
    members = node_client.call(url, "sequencer_getSequencerSet")
    try:
        return verify.known_chain(config, members)
    except Malformed as error:
        raise Temporary(f"{url} does not answer as a sequencer: {error}") from None


def _posted(arguments: argparse.Namespace, preconfirmation: Preconfirmation) -> PostedPlace | None:
    file = _genesis_file(arguments)
    if arguments.da is None or file is None:
        return None
    if not arguments.da.is_dir():
        raise ConfigError("--da", str(arguments.da), "is not a folder of the local layer")
    from da.local import read_all
    from sequencer.posted_flashblock import find_posted

    blobs = read_all(arguments.da)
    return find_posted(blobs, read_genesis(file), preconfirmation.signed.flashblock, int(time.time()))


def _describe(verification: Verification) -> str:
    """For people: what is promised, each check, and the verdict."""
    lines = [*_promise(verification.preconfirmation), *map(_line, verification.checks), _verdict(verification)]
    return "\n".join(lines)


def _promise(promise: Preconfirmation | None) -> list[str]:
    if promise is None:
        return []
    flashblock = promise.signed.flashblock
    return [
        f"transaction  0x{promise.transaction_hash.hex()}",
        f"place        position {promise.position} of block {flashblock.block_number}, chain {promise.domain.chain_id}",
        f"promised     {verify.utc(flashblock.timestamp_ms // 1000)} by {checksummed(promise.signed.signer)}",
        f"post by      {verify.utc(flashblock.post_by)}",
        "",
    ]


def _line(check: Check) -> str:
    return f"{_STATE[check.ok, check.ok and not check.reason]}  {check.name:9}  {check.reason}".rstrip()


def _verdict(verification: Verification) -> str:
    if not verification.valid:
        return "\nThis pre-confirmation does not hold."
    if not verification.proven:
        return "\nThis pre-confirmation holds, as far as it was checked."
    return "\nThis pre-confirmation holds, and was kept."
