"""``sequencer run``, and what every command that runs a node does."""

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.arguments import add_command, add_json, add_settings, settings_of
from sequencer.cli.output import Exit, checksummed, result, result_json
from sequencer.cli.progress import ProgressBar
from sequencer.config import Settings
from sequencer.core import genesis as genesis_file
from sequencer.core.encoding import data
from sequencer.core.errors import ConfigError, Malformed
from sequencer.core.genesis import Genesis
from sequencer.core.ports import Signer
from sequencer.lifecycle import DataDirectory, hold_data_directory
from sequencer.signer import keystore
from sequencer.signer.local import LocalSigner

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands
    from sequencer.node import NodeAddresses, SyncRequest


def register(commands: "Commands") -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "run",
        _run,
        summary="run a node with operator configuration",
        description="""\
Run the node in the foreground until SIGTERM or SIGINT: it then stops taking transactions, seals and posts what
it can, and exits 0. A second signal ends it at once.

It needs a data directory with genesis.json, keystore.json and password, as `sequencer init` writes them, or
settings that name other places. When the node is ready it prints where it listens.

With --sync-from da a data directory that holds genesis.json and the key alone is filled from data availability:
every batch is checked and executed again, and the node goes on with the chain from there. A sync that is cut off
goes on with the next start; a directory that holds its chain starts as ever. The key's guard must know what the
key has signed: bring it with `sequencer guard import`, or say --signed-nothing-beyond-da.""",
        examples="""\
  sequencer init --data-dir node --chain-id 7100001 --fund 0xYOUR_ADDRESS=1000
  sequencer run --config node/config.toml
  sequencer run --config node/config.toml --sync-from da
  SEQUENCER_RPC__PORT=9000 sequencer run --config node/config.toml --set log.level=debug""",
    )
    parser.add_argument("--sync-from", choices=("da",), help="begin an empty data directory with the chain on DA")
    parser.add_argument(
        "--signed-nothing-beyond-da",
        action="store_true",
        help="the key's guard is lost, and the key has promised nothing that is not on DA",
    )
    add_settings(parser)
    add_json(parser, "print where the node listens as one JSON object")


def _run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments).settings
    with hold_data_directory(settings.node.data_dir) as directory:
        genesis = read_genesis(settings.node.genesis or directory.genesis_file)
        signer = _signer(settings, directory)
        check_member(genesis, signer)

        bar = ProgressBar("syncing from DA")

        def ready(addresses: "NodeAddresses") -> None:
            bar.finish()
            document = {
                **addresses_json(addresses),
                "chainId": genesis.spec.chain_id,
                "genesisHash": data(addresses.genesis_hash),
                "dataDir": str(directory.path),
                "engine": addresses.engine,
                "sequencer": checksummed(signer.address),
            }
            if arguments.json:
                result_json(document)
            else:
                result(f"ready: chain {genesis.spec.chain_id} at {addresses.rpc_url}, metrics {addresses.metrics_url}")

        key_file = settings.ethereum.key_file
        l1_signer = LocalSigner(keystore.read_plain_key(key_file)) if key_file else None
        with bar:
            return run_node(settings, genesis, signer, directory, ready, l1_signer, _sync(arguments, bar))


def _sync(arguments: argparse.Namespace, bar: ProgressBar) -> "SyncRequest | None":
    """What the flags ask for. Raises ``ConfigError``."""
    if arguments.sync_from is None:
        if arguments.signed_nothing_beyond_da:
            raise ConfigError("--signed-nothing-beyond-da", "", "is of use with --sync-from da only")
        return None
    from sequencer.node import SyncRequest

    return SyncRequest(arguments.signed_nothing_beyond_da, lambda at: bar.show(at.share, f"block {at.block}"))


def run_node(
    settings: Settings,
    genesis: Genesis,
    signer: Signer,
    directory: DataDirectory,
    on_ready: "Callable[[NodeAddresses], None]",
    l1_signer: Signer | None = None,
    sync: "SyncRequest | None" = None,
) -> int:
    """Run a node until it is told to stop. Raises what ends it otherwise."""
    import uvloop

    from sequencer import node
    from sequencer.telemetry import logs

    logs.configure(settings.log)

    def announce(addresses: "NodeAddresses") -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody reads the banner: no reason to stop a node
            on_ready(addresses)

    uvloop.run(node.run(settings, genesis, signer, on_ready=announce, lock=directory, l1_signer=l1_signer, sync=sync))
    return Exit.DONE


def read_genesis(file: Path) -> Genesis:
    """The genesis in ``file``. Raises ``ConfigError``."""
    try:
        with ProgressBar("reading the genesis") as bar:
            return genesis_file.load(
                file.read_text(encoding="utf-8"),
                on_progress=lambda done, of: bar.show(done / of, f"{done} of {of} accounts"),
            )
    except OSError as error:
        raise ConfigError("node.genesis", str(file), error.strerror or "cannot be read") from None
    except Malformed as error:
        raise ConfigError("node.genesis", str(file), str(error)) from None


def check_member(genesis: Genesis, signer: Signer) -> None:
    """Raise ``ConfigError`` unless the key belongs to a sequencer of the chain."""
    if genesis.spec.sequencers.member(signer.address) is None:
        reason = f"is not a sequencer of chain {genesis.spec.chain_id} in its genesis"
        raise ConfigError("signer", checksummed(signer.address), reason)


def addresses_json(addresses: "NodeAddresses") -> dict[str, str | None]:
    """Where a node listens, by the names of protocol section 9."""
    return {
        "rpcUrl": addresses.rpc_url,
        "wsUrl": addresses.ws_url,
        "grpcUrl": addresses.grpc_url,
        "metricsUrl": addresses.metrics_url,
    }


def _signer(settings: Settings, directory: DataDirectory) -> LocalSigner:
    password = keystore.read_password(settings.signer.password_file or directory.password_file)
    return LocalSigner(keystore.decrypt(settings.signer.keystore or directory.keystore_file, password))
