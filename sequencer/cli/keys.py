"""``sequencer keys``: make, import and list encrypted key files."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.cli.arguments import add_command, add_json
from sequencer.cli.output import Exit, checksummed, result, result_json
from sequencer.core.errors import ConfigError, Malformed
from sequencer.core.secp256k1 import address_of_private_key
from sequencer.signer import keystore
from sequencer.signer.local import new_private_key

if TYPE_CHECKING:
    from sequencer.cli.arguments import Commands


def register(commands: "Commands") -> None:
    """Add the group."""
    group = commands.add_parser(
        "keys",
        help="make, import and list encrypted key files",
        description="Key files in the format that wallets share: encrypted, and readable by their owner alone.",
    )
    inner = group.add_subparsers(metavar="COMMAND", required=True)
    new = add_command(
        inner,
        "new",
        _new,
        summary="make a new key",
        description="Make a random key and write it as an encrypted keystore\n"
        "(Web3 Secret Storage version 3, mode 0600).",
        examples="  sequencer keys new --out keystore.json --password-file password",
    )
    _add_target(new)
    given = add_command(
        inner,
        "import",
        _import,
        summary="encrypt an existing key",
        description="Read a private key of 64 hex digits from a file that only you may read, or from standard input\n"
        "with -, and write it as an encrypted keystore. The key itself is never an argument: arguments show in\n"
        "the process list and in the shell's history.",
        examples="  sequencer keys import key.hex --out keystore.json --password-file password",
    )
    given.add_argument("source", metavar="FILE|-", help="file with the private key, or - for standard input")
    _add_target(given)
    listed = add_command(
        inner,
        "list",
        _list,
        summary="list the key files of a folder",
        description="Print the address and path of every encrypted keystore in a folder. Nothing is decrypted.",
        examples="  sequencer keys list sequencer-data",
    )
    listed.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="DIR", help="default: the current one")
    add_json(listed)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="keystore to write; must not exist")
    parser.add_argument(
        "--password-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="file whose first line is the password; mode 0600",
    )
    add_json(parser)


def _new(arguments: argparse.Namespace) -> int:
    return _write(arguments, new_private_key())


def _import(arguments: argparse.Namespace) -> int:
    if arguments.source == "-":
        text = sys.stdin.read(keystore.FILE_SIZE_LIMIT_BYTES).strip().removeprefix("0x")
        try:
            key = bytes.fromhex(text)
            address_of_private_key(key)
        except (ValueError, Malformed):
            raise ConfigError("key", "-", "standard input is not a private key of 64 hex digits") from None
        return _write(arguments, key)
    return _write(arguments, keystore.read_plain_key(Path(arguments.source)))


def _write(arguments: argparse.Namespace, private_key: bytes) -> int:
    password = keystore.read_password(arguments.password_file)
    if not password:
        raise ConfigError("--password-file", str(arguments.password_file), "its first line is empty")
    address = checksummed(keystore.create(arguments.out, private_key, password))
    if arguments.json:
        result_json({"address": address, "file": str(arguments.out)})
    else:
        result(f"{address}  {arguments.out}")
    return Exit.DONE


def _list(arguments: argparse.Namespace) -> int:
    if not arguments.folder.is_dir():
        raise ConfigError("folder", str(arguments.folder), "is not a folder")
    found = []
    for file in sorted(path for path in arguments.folder.iterdir() if path.is_file()):
        address = keystore.address_in(file)
        if address is not None:
            found.append({"address": checksummed(address), "file": str(file)})
    if arguments.json:
        result_json({"keys": found})
    else:
        for row in found:
            result(f"{row['address']}  {row['file']}")
    return Exit.DONE
