"""Flags that say where a chain's batches are public, and what a new chain's genesis says about it."""

import argparse
import asyncio
from pathlib import Path
from typing import Final

from da.celestia.config import CelestiaConfig
from da.ethereum.config import EthereumConfig
from da.selection import LayerSettings, celestia_origin, ethereum_origin
from sequencer.config import Settings
from sequencer.core.chain_spec import DaOrigin
from sequencer.core.errors import ConfigError
from sequencer.core.ports import Signer
from sequencer.core.types import Hash32
from sequencer.signer import keystore
from sequencer.signer.local import LocalSigner

LAYERS: Final = ("local", "celestia", "ethereum")
SETTINGS: Final = {
    "--l1-url": "ethereum.url",
    "--l1-beacon-url": "ethereum.beacon_url",
    "--celestia-url": "celestia.url",
    "--celestia-token-file": "celestia.token_file",
}
"""The settings that the flags set."""


def add_layer_flags(parser: argparse.ArgumentParser) -> None:
    """How the layers are reached."""
    group = parser.add_argument_group("data availability")
    group.add_argument("--l1-url", metavar="URL", help="JSON-RPC of the Ethereum node")
    group.add_argument("--l1-beacon-url", metavar="URL", help="REST interface of a beacon node (default: --l1-url)")
    group.add_argument("--celestia-url", metavar="URL", help="JSON-RPC of the celestia-node")
    group.add_argument("--celestia-token-file", metavar="FILE", help="file with the celestia-node's auth token")


def reading_settings(arguments: argparse.Namespace) -> LayerSettings:
    """The same for a command that only reads, from its flags. Raises ``ConfigError``."""
    token = arguments.celestia_token_file
    celestia = CelestiaConfig(token_file=Path(token) if token else None)
    if arguments.celestia_url:
        celestia = CelestiaConfig(url=arguments.celestia_url, token_file=celestia.token_file)
    beacon = arguments.l1_beacon_url or ""
    ethereum = EthereumConfig(beacon_url=beacon)
    if arguments.l1_url:
        ethereum = EthereumConfig(url=arguments.l1_url, beacon_url=beacon)
    return LayerSettings(celestia, ethereum)


def new_origin(arguments: argparse.Namespace, settings: Settings, seed: Hash32, l1_signer: Signer) -> DaOrigin | None:
    """What the genesis of a new chain says; makes its inbox on Ethereum. With ``--da celestia`` and ``--l1-url`` the
    inbox orders what stands on Celestia, and batches go to Ethereum while Celestia fails. None for ``local``."""
    if arguments.da not in LAYERS[1:]:
        return None
    celestia = ethereum = None
    if arguments.da == "celestia":
        celestia = asyncio.run(celestia_origin(settings.celestia, seed))
    if arguments.da == "ethereum" or arguments.l1_url:
        ethereum = asyncio.run(ethereum_origin(settings.ethereum, l1_signer))
    return DaOrigin(celestia, ethereum)


def layer_name(origin: DaOrigin | None) -> str:
    """The layer that a chain's batches go to first, as ``--da`` calls it."""
    if origin is None:
        return "local"
    return "celestia" if origin.celestia else "ethereum"


def read_l1_key(file: Path) -> Signer:
    """The key in a file of 64 hex digits that nobody else may read. Raises ``ConfigError``."""
    try:
        return LocalSigner(keystore.read_plain_key(file))
    except ConfigError as error:
        raise ConfigError("--l1-key-file", str(file), error.reason) from None
