"""Key files: Web3 Secret Storage version 3, as geth, ethers and eth_account read and write it.

A file with a key, encrypted or not, is written with mode 0600 and is refused when group or others may read
it. Errors name the file and what to do, never a part of the key or the password.
"""

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import Any, Final

from eth_keyfile.exceptions import EthKeyfileNotImplementedError as UnknownToKeyfile
from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json

from sequencer.core import secp256k1
from sequencer.core.encoding import data
from sequencer.core.errors import ConfigError, Malformed
from sequencer.core.types import Address

SCRYPT_N: Final = 2**18
"""Work factor of new files: about a second and 256 MiB, once per start."""
FILE_SIZE_LIMIT_BYTES: Final = 64 * 1024
_CIPHER: Final = "aes-128-ctr"
"""The only one of version 3."""


def create(path: Path, private_key: bytes, password: str, work: int = SCRYPT_N) -> Address:
    """Write a new encrypted key file and return its address. Raises ``ConfigError`` if the file exists."""
    document = create_keyfile_json(private_key, password.encode(), kdf="scrypt", iterations=work)
    write_private(path, json.dumps(document, indent=2) + "\n")
    return secp256k1.address_of_private_key(private_key)


def decrypt(path: Path, password: str) -> bytes:
    """The private key in an encrypted file. Raises ``ConfigError`` if it cannot be read or decrypted."""
    text = read_private(path)
    try:
        key = _decoded(json.loads(text), password)
        secp256k1.address_of_private_key(key)
    except (ValueError, KeyError, TypeError, AttributeError, UnknownToKeyfile) as error:
        wrong_password = "MAC" in str(error)
        reason = "the password is wrong" if wrong_password else "is not a version 3 keystore of a secp256k1 key"
        raise ConfigError("signer.keystore", str(path), reason) from None
    return key


def _decoded(document: dict[str, Any], password: str) -> bytes:
    if (document.get("crypto") or document["Crypto"])["cipher"] != _CIPHER:
        raise ValueError("another cipher")  # the library does not look, and would come to another key
    return bytes(decode_keyfile_json(document, password.encode()))


def address_in(path: Path) -> Address | None:
    """The address that an encrypted key file says it is of, or None if the file is something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8")[:FILE_SIZE_LIMIT_BYTES])
        address = bytes.fromhex(document["address"].removeprefix("0x"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Address(address) if len(address) == 20 and "crypto" in document else None


def read_password(path: Path) -> str:
    """The first line of a password file."""
    return read_private(path).split("\n", 1)[0].rstrip("\r")


def read_plain_key(path: Path) -> bytes:
    """An unencrypted key, 64 hex digits, as the development network keeps it."""
    text = read_private(path).strip().removeprefix("0x")
    try:
        key = bytes.fromhex(text)
        secp256k1.address_of_private_key(key)
    except (ValueError, Malformed):
        raise ConfigError("key file", str(path), "does not hold a private key of 64 hex digits") from None
    return key


def write_plain_key(path: Path, private_key: bytes) -> None:
    """Write an unencrypted key. Only for keys that guard nothing."""
    write_private(path, data(private_key) + "\n")


def read_private(path: Path) -> str:
    """The text of a file that only its owner may read. Raises ``ConfigError`` otherwise."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                reason = f"has mode {mode:04o}: others may read it; run: chmod 600 {path}"
                raise ConfigError("key file", str(path), reason)
            return file.read(FILE_SIZE_LIMIT_BYTES)
    except OSError as error:
        raise ConfigError("key file", str(path), error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise ConfigError("key file", str(path), "is not text") from None


def write_private(path: Path, text: str) -> None:
    """A new file that only its owner may read, whole and durable, or no file at all.

    Raises ``ConfigError`` if the file exists: a key is never written over.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # unlike a rename, it fails if the name is taken
        finally:
            temporary.unlink()
    except FileExistsError:
        raise ConfigError("key file", str(path), "exists already and is not written over") from None
    except OSError as error:
        raise ConfigError("key file", str(path), error.strerror or "cannot be written") from None
