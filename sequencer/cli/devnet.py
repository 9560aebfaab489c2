"""``sequencer devnet``: a chain for development in one command."""

import argparse
import contextlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sequencer import chain_file, config, lifecycle
from sequencer.chain_file import ChainFile
from sequencer.cli import layers
from sequencer.cli.arguments import add_command, add_json, named_flags
from sequencer.cli.output import checksummed, result, result_json
from sequencer.cli.run import addresses_json, check_member, read_genesis, run_node
from sequencer.config_load import Flag
from sequencer.core import genesis as genesis_file
from sequencer.core.chain_spec import DaOrigin
from sequencer.core.encoding import data
from sequencer.core.errors import ConfigError
from sequencer.core.genesis import Genesis
from sequencer.core.membership import SequencerInfo
from sequencer.core.ports import Signer
from sequencer.core.types import Hash32
from sequencer.lifecycle import DataDirectory
from sequencer.signer import keystore
from sequencer.signer.local import LocalSigner, new_private_key

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands
    from sequencer.node import NodeAddresses

_FLAGS: Final = {
    "--data-dir": "node.data_dir",
    "--port": "rpc.port",
    "--metrics-port": "metrics.port",
    "--block-time": "block.block_time_ms",
    "--engine": "node.engine",
    **layers.SETTINGS,
}
_L1_ACCOUNT: Final = 9
"""Of the funded ones: pays for posting to Ethereum unless told otherwise."""
_MNEMONIC: Final = "test test test test test test test test test test test junk"


def register(commands: "Commands") -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "devnet",
        _devnet,
        summary="run a chain for development",
        description="""\
Run a chain for development on this machine: JSON-RPC over HTTP and WebSocket on one loopback port, ten funded
accounts whose keys everybody knows, the deterministic CREATE2 deployer and Multicall3 at their usual addresses.

With --data-dir the chain, its keys and its genesis stay over restarts; without it they live in a temporary
folder that is removed at the end. When the chain is ready a banner is printed, or one JSON object with --json;
nothing else goes to standard output.""",
        examples="""\
  sequencer devnet
  sequencer devnet --data-dir chain --block-time 250ms
  sequencer devnet --port 0 --metrics-port 0 --json""",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="keep the chain here (default: a temporary folder)")
    parser.add_argument("--port", metavar="PORT", help="JSON-RPC port, 0 for any free one (default: 8545)")
    parser.add_argument("--metrics-port", metavar="PORT", help="metrics port, 0 for any free one (default: 9464)")
    parser.add_argument("--block-time", metavar="TIME", help="time between blocks (default: 1000ms)")
    parser.add_argument("--engine", metavar="ENGINE", help="auto, native or reference (default: auto)")
    parser.add_argument("--gas-limit", type=int, metavar="N", help="gas limit of a block (default: 30000000)")
    parser.add_argument("--chain-id", type=int, metavar="N", help="chain id (default: 421701)")
    parser.add_argument("--da", choices=layers.LAYERS, help="where batches are public (default: local)")
    layers.add_layer_flags(parser)
    parser.add_argument(
        "--l1-key-file", type=Path, metavar="FILE", help="key that pays for batches on Ethereum (default: account 9)"
    )
    add_json(parser, "print one JSON object instead of the banner")


def _devnet(arguments: argparse.Namespace) -> int:
    with (
        _settings(arguments) as (settings, temporary),
        lifecycle.hold_data_directory(settings.node.data_dir) as directory,
    ):
        chain = chain_file.load(chain_file.find("devnet"))
        signer = _signer(directory)
        l1_signer = _l1_signer(arguments.l1_key_file, chain)

        def origin(seed: Hash32) -> DaOrigin | None:
            return layers.new_origin(arguments, settings, seed, l1_signer)

        genesis = _genesis(directory, chain, signer, arguments.chain_id, arguments.gas_limit, arguments.da, origin)
        check_member(genesis, signer)

        def ready(addresses: "NodeAddresses") -> None:
            document = _document(addresses, genesis, directory, signer, chain)
            if arguments.json:
                result_json(document)
            else:
                result(_banner(document, temporary=temporary))

        return run_node(settings, genesis, signer, directory, ready, l1_signer)


@contextlib.contextmanager
def _settings(arguments: argparse.Namespace) -> Iterator[tuple[config.Settings, bool]]:
    """The settings of the devnet, and whether its data directory is a temporary one because none was asked for."""
    flags = named_flags(arguments, _FLAGS)
    loaded = config.load(chain_file.configs_dir() / "devnet.toml", flags)
    if loaded.origins["node.data_dir"] != "default":
        yield loaded.settings, False
        return
    with tempfile.TemporaryDirectory(prefix="sequencer-devnet-", ignore_cleanup_errors=True) as folder:
        flags += (Flag("node.data_dir", "--data-dir", folder),)
        yield config.load(chain_file.configs_dir() / "devnet.toml", flags).settings, True


def _signer(directory: DataDirectory) -> LocalSigner:
    if not directory.key_file.exists():
        if directory.genesis_file.exists():
            reason = "holds a chain that devnet did not make; use: sequencer run"
            raise ConfigError("--data-dir", str(directory.path), reason)
        keystore.write_plain_key(directory.key_file, new_private_key())
    return LocalSigner(keystore.read_plain_key(directory.key_file))


def _l1_signer(file: Path | None, chain: ChainFile) -> Signer:
    return layers.read_l1_key(file) if file else LocalSigner(chain.funded[_L1_ACCOUNT].private_key)


def _genesis(
    directory: DataDirectory,
    chain: ChainFile,
    signer: LocalSigner,
    chain_id: int | None,
    gas_limit: int | None,
    layer: str | None = None,
    new_origin: Callable[[Hash32], DaOrigin | None] = lambda _: None,
) -> Genesis:
    """The genesis in the data directory, made on the first start. Flags that contradict it are refused."""
    if not directory.genesis_file.exists():
        seed = Hash32(secrets.token_bytes(32))
        genesis = chain.genesis(
            timestamp=int(time.time()),
            seed=seed,
            sequencers=(SequencerInfo(signer.address, fee_recipient=signer.address),),
            chain_id=chain_id,
            gas_limit=gas_limit,
            da=new_origin(seed),
        )
        lifecycle.write_whole(directory.genesis_file, genesis_file.dump(genesis))
        return genesis
    genesis = read_genesis(directory.genesis_file)
    asked = (
        ("--chain-id", chain_id, genesis.spec.chain_id),
        ("--gas-limit", gas_limit, genesis.spec.gas_limit),
        ("--da", layer, layers.layer_name(genesis.spec.da)),
    )
    for flag, wanted, fixed in asked:
        if wanted is not None and wanted != fixed:
            reason = f"the chain in {directory.path} was made with {fixed}, which cannot change; use another --data-dir"
            raise ConfigError(flag, wanted, reason)
    return genesis


def _document(
    addresses: "NodeAddresses", genesis: Genesis, directory: DataDirectory, signer: LocalSigner, chain: ChainFile
) -> dict[str, Any]:
    return {
        **addresses_json(addresses),
        "chainId": genesis.spec.chain_id,
        "genesisHash": data(addresses.genesis_hash),
        "genesisFile": str(directory.genesis_file),
        "dataDir": str(directory.path),
        "daDir": str(addresses.da_dir),
        "engine": addresses.engine,
        "fork": genesis.spec.fork_at(int(time.time())),
        "sequencer": checksummed(signer.address),
        "accounts": [
            {"address": checksummed(account.address), "privateKey": data(account.private_key)}
            for account in chain.funded
        ],
    }


def _banner(document: dict[str, Any], *, temporary: bool) -> str:
    first = document["accounts"][0]
    accounts = "\n".join(f"  {row['address']}  {row['privateKey']}" for row in document["accounts"])
    kept = " (removed at the end)" if temporary else ""
    return f"""
A rollup sequencer for development is ready. Everybody knows its keys: keep nothing of value here.

  JSON-RPC    {document["rpcUrl"]}
  WebSocket   {document["wsUrl"]}
  metrics     {document["metricsUrl"]}/metrics
  chain id    {document["chainId"]}
  engine      {document["engine"]}, {document["fork"]} rules
  sequencer   {document["sequencer"]}
  data        {document["dataDir"]}{kept}

Accounts of "{_MNEMONIC}", 10,000 ether each:
{accounts}

Try:  cast send --rpc-url {document["rpcUrl"]} --private-key {first["privateKey"]} \\
        {document["accounts"][1]["address"]} --value 1ether
Stop: Ctrl-C"""
