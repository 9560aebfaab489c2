"""Celestia namespaces of version 0: ten bytes of one's own in an id of 28.

::

    namespace   version(1) = 0 || zeros(18) || name(10)

Names below 0x100 belong to the protocol and are refused here, before a node would refuse the blob.
"""

from typing import Final, NewType

from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.types import Hash32

Namespace = NewType("Namespace", bytes)
"""All 29 bytes."""

SIZE: Final = 29
NAME_BYTES: Final = 10
_ZEROS: Final = bytes(SIZE - NAME_BYTES)
_FIRST_FREE: Final = 0x100


def from_name(name: bytes) -> Namespace:
    """The namespace with this name, of at most ten bytes. Raises ``Malformed`` for a reserved one."""
    if len(name) > NAME_BYTES:
        raise Malformed(f"namespace: a name has at most {NAME_BYTES} bytes, not {len(name)}")
    if int.from_bytes(name, "big") < _FIRST_FREE:
        raise Malformed("namespace: names below 0x100 are reserved")
    return Namespace(_ZEROS + name.rjust(NAME_BYTES, b"\0"))


def parse(text: str) -> Namespace:
    """The namespace written as the hex of its name or of all 29 bytes. Raises ``Malformed``."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise Malformed("namespace: not hexadecimal") from None
    if len(raw) != SIZE:
        return from_name(raw)
    if not raw.startswith(_ZEROS):
        raise Malformed("namespace: only version 0 is supported")
    return from_name(raw[-NAME_BYTES:])


def for_seed(seed: Hash32) -> Namespace:
    """A namespace that no other chain will hit on by accident: the start of the hash of a random seed."""
    name = keccak256(b"celestia namespace" + seed)[:NAME_BYTES]
    return from_name(b"\x01" + name[1:])
