"""The signer that holds its key in this process.

The key is reachable by no attribute that a log, an error or a dump would follow: it is kept in a closure,
the object prints as its address, and it refuses to be pickled.
"""

import secrets
from typing import NoReturn

from sequencer.core import secp256k1
from sequencer.core.types import Address, Hash32, Signature


class LocalSigner:
    """``Signer`` on a private key in memory."""

    __slots__ = ("_address", "_sign")

    def __init__(self, private_key: bytes) -> None:
        """Raises ``Malformed`` if the key is not 32 bytes in the curve's range."""
        self._address = secp256k1.address_of_private_key(private_key)
        self._sign = secp256k1.signing(private_key)

    @property
    def address(self) -> Address:
        """The address whose key this is."""
        return self._address

    def sign(self, digest: Hash32) -> Signature:
        """The deterministic signature of a 32-byte digest."""
        return self._sign(digest)

    def __repr__(self) -> str:
        return f"LocalSigner(0x{self._address.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer never leaves its process")


def new_private_key() -> bytes:
    """32 random bytes that are a valid key."""
    while True:
        key = secrets.token_bytes(32)
        if 0 < int.from_bytes(key, "big") < secp256k1.ORDER:
            return key
