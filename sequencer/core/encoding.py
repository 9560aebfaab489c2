"""Hex text as Ethereum's JSON writes it: quantities without leading zeros, data with all of them.

Parsing is strict and total: it returns the value or raises ``Malformed`` with geth's wording.
"""

from sequencer.core.errors import Malformed
from sequencer.core.types import UINT256_MAX, Address, Hash32


def quantity(value: int) -> str:
    """``0x`` and the minimal hex digits."""
    return hex(value)


def data(value: bytes) -> str:
    """``0x`` and two hex digits a byte."""
    return "0x" + value.hex()


def parse_quantity(text: object, maximum: int = UINT256_MAX) -> int:
    """An integer from a JSON quantity, at most ``maximum``."""
    if not isinstance(text, str):
        raise Malformed("expected a hex string")
    if text[:2] not in ("0x", "0X"):
        raise Malformed("hex string without 0x prefix")
    digits = text[2:]
    if not digits:
        raise Malformed('hex string "0x"')
    if len(digits) > 1 and digits[0] == "0":
        raise Malformed("hex number with leading zero digits")
    if len(digits) > 64:
        raise Malformed("hex number > 256 bits")
    if not (digits.isascii() and digits.isalnum()):
        raise Malformed("invalid hex string")
    try:
        value = int(digits, 16)
    except ValueError:
        raise Malformed("invalid hex string") from None
    if value > maximum:
        raise Malformed(f"hex number > {maximum.bit_length()} bits")
    return value


def parse_data(text: object, size: int | None = None) -> bytes:
    """Bytes from JSON data, of exactly ``size`` bytes when given."""
    if not isinstance(text, str):
        raise Malformed("expected a hex string")
    if text[:2] not in ("0x", "0X"):
        raise Malformed("hex string without 0x prefix")
    if len(text) % 2:
        raise Malformed("hex string of odd length")
    digits = text[2:]
    if digits and not (digits.isascii() and digits.isalnum()):
        raise Malformed("invalid hex string")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        raise Malformed("invalid hex string") from None
    if size is not None and len(value) != size:
        raise Malformed(f"hex string has length {len(value) * 2}, want {size * 2}")
    return value


def parse_address(text: object) -> Address:
    """20 bytes in any letter case."""
    return Address(parse_data(text, 20))


def parse_hash(text: object) -> Hash32:
    """32 bytes."""
    return Hash32(parse_data(text, 32))
