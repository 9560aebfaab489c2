"""``sequencer init``: a first configuration, key and genesis for an operator's own chain."""

import argparse
import secrets
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer import chain_file, config_values, lifecycle
from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, checksummed, result, result_json
from sequencer.core import encoding
from sequencer.core.errors import ConfigError, Malformed
from sequencer.core.genesis import Genesis, dump
from sequencer.core.membership import SequencerInfo
from sequencer.core.secp256k1 import address_of_private_key
from sequencer.core.types import UINT256_MAX, Address, Hash32
from sequencer.lifecycle import DataDirectory
from sequencer.signer import keystore
from sequencer.signer.local import new_private_key

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands

_CONFIG = """\
# Settings of this node. `sequencer config reference` prints every key with its documentation and default,
# `sequencer config check --config FILE` checks a file. Relative paths start at the folder of this file.

[node]
data_dir = "."

[rpc]
host = "127.0.0.1"
port = 8545

[metrics]
host = "127.0.0.1"
port = 9464
"""


def register(commands: "Commands") -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "init",
        _init,
        summary="write a first configuration, key and genesis",
        description="""\
Prepare a data directory for `sequencer run`: config.toml, genesis.json, keystore.json with a new key, and, unless
--password-file is given, password with a random one. All but the first two are readable by you alone; keep
copies of the key files where the machine cannot lose them. What exists is never written over.

The genesis fixes the chain for good. It has no accounts but those of --fund and of the chain file.""",
        examples="""\
  sequencer init --data-dir node --chain-id 7100001 --fund 0xYOUR_ADDRESS=1000
  sequencer run --config node/config.toml""",
    )
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="folder to prepare")
    parser.add_argument("--chain-id", type=int, metavar="N", help="chain id; one that no public chain has")
    parser.add_argument("--gas-limit", type=int, metavar="N", help="gas limit of a block (default: the chain file's)")
    parser.add_argument("--chain", default="rollup", metavar="NAME|FILE", help="chain file (default: rollup)")
    parser.add_argument("--fee-recipient", metavar="ADDRESS", help="who earns the priority fees (default: the new key)")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="encrypt the key with its first line")
    parser.add_argument(
        "--fund", action="append", default=[], metavar="ADDRESS=ETHER", help="an account of block 0; may be repeated"
    )
    add_json(parser)


def _init(arguments: argparse.Namespace) -> int:
    chain = chain_file.load(chain_file.find(arguments.chain))
    private_key = new_private_key()
    address = address_of_private_key(private_key)
    recipient = _address("--fee-recipient", arguments.fee_recipient) if arguments.fee_recipient else address
    genesis = chain.genesis(
        timestamp=int(time.time()),
        seed=Hash32(secrets.token_bytes(32)),
        sequencers=(SequencerInfo(address, recipient),),
        chain_id=arguments.chain_id,
        gas_limit=arguments.gas_limit,
        balances_wei=dict(_funded(text) for text in arguments.fund),
    )
    with lifecycle.hold_data_directory(arguments.data_dir) as directory:
        _write(directory, private_key, genesis, arguments.password_file)
    document = {
        "configFile": str(directory.config_file),
        "genesisFile": str(directory.genesis_file),
        "keystoreFile": str(directory.keystore_file),
        "chainId": genesis.spec.chain_id,
        "sequencer": checksummed(address),
    }
    if arguments.json:
        result_json(document)
    else:
        result("\n".join(f"{name:13} {value}" for name, value in document.items()))
        result(f"next: sequencer run --config {directory.config_file}")
    return Exit.DONE


def _write(directory: DataDirectory, private_key: bytes, genesis: Genesis, password_file: Path | None) -> None:
    """Write the four files, the genesis last: without it the folder holds no chain."""
    for file in (directory.genesis_file, directory.config_file, directory.keystore_file):
        if file.exists():
            raise ConfigError("--data-dir", str(directory.path), f"holds {file.name} already; nothing was changed")
    settings = _CONFIG
    if password_file is None:
        password_file = directory.password_file
        if not password_file.exists():
            keystore.write_private(password_file, secrets.token_urlsafe(32) + "\n")
    else:
        settings += f"\n[signer]\npassword_file = {config_values.render(password_file.absolute())}\n"
    password = keystore.read_password(password_file)
    if not password:
        raise ConfigError("--password-file", str(password_file), "its first line is empty")
    keystore.create(directory.keystore_file, private_key, password)
    lifecycle.write_whole(directory.config_file, settings)
    lifecycle.write_whole(directory.genesis_file, dump(genesis))


def _funded(text: str) -> tuple[Address, int]:
    """``ADDRESS=ETHER`` as address and wei."""
    address, _, ether = text.partition("=")
    try:
        amount_wei = Fraction(ether) * chain_file.WEI_PER_ETHER
    except ValueError:
        raise ConfigError("--fund", text, "expected ADDRESS=ETHER, such as 0x...=1000") from None
    if amount_wei.denominator != 1 or not 0 <= amount_wei <= UINT256_MAX:
        raise ConfigError("--fund", text, "is not an amount of whole wei")
    return _address("--fund", address), int(amount_wei)


def _address(flag: str, text: str) -> Address:
    try:
        return encoding.parse_address(text)
    except Malformed as error:
        raise ConfigError(flag, text, str(error)) from None
