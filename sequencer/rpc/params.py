"""Positional parameters: declared per method, parsed once, refused in geth's words.

A method declares a tuple of ``Parameter``; its handler receives the parsed values in the same order. A
parser takes a JSON value and returns a typed one or raises ``Malformed`` with the reason, which the caller
reads as ``invalid argument 0: <reason>``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sequencer.core import encoding
from sequencer.core.errors import Malformed
from sequencer.core.types import UINT64_MAX, Hash32
from sequencer.rpc.errors import invalid_params

Parser = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One positional parameter. Without a ``default`` of its own, an optional one is None when left out."""

    name: str
    parse: Parser
    required: bool = True
    default: object = None


def optional(name: str, parse: Parser, default: object = None) -> Parameter:
    """A parameter that may be left out or null."""
    return Parameter(name, parse, required=False, default=default)


def parse_params(parameters: Sequence[Parameter], values: Sequence[object]) -> list[object]:
    """The parsed values. Raises ``RpcError`` with -32602 naming the argument that is wrong."""
    if len(values) > len(parameters):
        raise invalid_params(f"too many arguments, want at most {len(parameters)}")
    parsed: list[object] = []
    for index, parameter in enumerate(parameters):
        value = values[index] if index < len(values) else None
        if value is None:
            if parameter.required:
                raise invalid_params(f"missing value for required argument {index}")
            parsed.append(parameter.default)
            continue
        try:
            parsed.append(parameter.parse(value))
        except Malformed as error:
            raise invalid_params(f"invalid argument {index}: {error}") from None
    return parsed


def data(value: object) -> bytes:
    """Bytes of any length."""
    return encoding.parse_data(value)


def quantity(value: object) -> int:
    """A hex quantity of at most 64 bits."""
    return encoding.parse_quantity(value, UINT64_MAX)


def loose_integer(value: object) -> int:
    """A number as hex quantity, decimal text or JSON integer: how clients differ on counts and timeouts."""
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        return int(value)
    return quantity(value)


def boolean(value: object) -> bool:
    """``true`` or ``false``, nothing that merely resembles them."""
    if not isinstance(value, bool):
        raise Malformed("expected a boolean")
    return value


def storage_slot(value: object) -> Hash32:
    """A storage key of up to 32 bytes, short forms such as ``0x0`` padded on the left as geth does."""
    if not isinstance(value, str):
        raise Malformed("expected a hex string")
    digits = value[2:] if value[:2] in ("0x", "0X") else value
    if len(digits) > 64:
        raise Malformed(f"storage key too long (want at most 32 bytes): {_shown(value)}")
    # fromhex would skip spaces, which are no digits either.
    if digits and not digits.isalnum():
        raise Malformed(f"invalid hex in storage key: {_shown(value)}")
    try:
        return Hash32(bytes.fromhex(digits.rjust(64, "0")))
    except ValueError:
        raise Malformed(f"invalid hex in storage key: {_shown(value)}") from None


def list_of(parse: Callable[[object], object], limit: int) -> Parser:
    """A parser of arrays of at most ``limit`` values."""

    def parse_list(value: object) -> list[object]:
        if not isinstance(value, list):
            raise Malformed("expected an array")
        if len(value) > limit:
            raise Malformed(f"expected at most {limit} items")
        return [parse(item) for item in value]

    return parse_list


def members(value: object) -> dict[str, object]:
    """A JSON object, without its null members: they mean the same as absent ones."""
    if not isinstance(value, dict):
        raise Malformed("expected an object")
    return {key: item for key, item in value.items() if item is not None}


def number_list(value: object) -> list[float]:
    """An array of numbers, integers or fractions."""
    if not isinstance(value, list) or any(type(item) not in (int, float) for item in value):
        raise Malformed("expected an array of numbers")
    return [float(item) for item in value]


def _shown(text: str) -> str:
    return f'"{text[:80]}"'
