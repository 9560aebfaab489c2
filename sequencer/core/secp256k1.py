"""ECDSA over secp256k1 as Ethereum uses it: recoverable, low s, strict (EIP-2, SEC 2).

The library releases the GIL, so these may run in threads side by side.
"""

from collections.abc import Callable
from typing import Final

from coincurve import PrivateKey as _PrivateKey
from coincurve import PublicKey as _PublicKey

from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32, Signature

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER: Final = ORDER // 2


def address_of_public_key(public_key: bytes) -> Address:
    """The address of an uncompressed 65-byte public key."""
    return Address(keccak256(public_key[1:])[12:])


def address_of_private_key(private_key: bytes) -> Address:
    """The address that ``private_key`` (32 bytes) signs for. Raises ``Malformed`` if it is out of range."""
    return address_of_public_key(_private(private_key).public_key.format(compressed=False))


def sign(private_key: bytes, digest: Hash32) -> Signature:
    """The deterministic (RFC 6979) low-s signature of a 32-byte digest."""
    return signing(private_key)(digest)


def signing(private_key: bytes) -> Callable[[Hash32], Signature]:
    """``sign`` with this key, which is made ready once: half of what a signature costs."""
    sign_recoverable = _private(private_key).sign_recoverable

    def sign_digest(digest: Hash32) -> Signature:
        raw = sign_recoverable(digest, hasher=None)
        return Signature(raw[:64] + bytes((raw[64] + 27,)))

    return sign_digest


def recover(digest: Hash32, r: int, s: int, y_parity: int) -> Address:
    """The address whose key made the signature. Raises ``Malformed`` on high s or an impossible point."""
    if not (0 < r < ORDER and 0 < s <= HALF_ORDER and y_parity in (0, 1)):
        raise Malformed("invalid transaction v, r, s values")
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((y_parity,))
    try:
        public_key = _PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as error:  # the library raises bare Exception and ValueError alike
        raise Malformed("recovery failed") from error
    return address_of_public_key(public_key.format(compressed=False))


def recover_signature(digest: Hash32, signature: bytes) -> Address:
    """As ``recover``, from 65 bytes r || s || v with v strictly 27 or 28."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise Malformed("signature is not 65 bytes with v 27 or 28")
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:64], "big")
    return recover(digest, r, s, signature[64] - 27)


def _private(private_key: bytes) -> _PrivateKey:
    if len(private_key) != 32:
        raise Malformed("a private key is 32 bytes")
    try:
        return _PrivateKey(private_key)
    except ValueError:
        raise Malformed("private key out of range") from None
