"""Bytes in a blob of EIP-4844: 31 usable bytes in each of its 4096 field elements.

::

    content         version(1) = 0 || length(3, big-endian) || data || zeros       4096 * 31 bytes
    field element   0x00 || the next 31 bytes of the content

A field element must be below the modulus of the curve, which any 31 bytes are.
"""

from typing import Final

from sequencer.core.errors import Malformed

FIELD_ELEMENTS: Final = 4096
BLOB_BYTES: Final = FIELD_ELEMENTS * 32
_USABLE: Final = 31
_HEAD_BYTES: Final = 4
CAPACITY_BYTES: Final = FIELD_ELEMENTS * _USABLE - _HEAD_BYTES


def pack(data: bytes) -> bytes:
    """The blob that carries ``data``. Raises ``Malformed`` if there is too much."""
    if len(data) > CAPACITY_BYTES:
        raise Malformed(f"blob: {len(data)} bytes, more than {CAPACITY_BYTES}")
    content = (len(data).to_bytes(_HEAD_BYTES, "big") + data).ljust(FIELD_ELEMENTS * _USABLE, b"\0")
    blob = bytearray(BLOB_BYTES)
    for lane in range(_USABLE):  # all first bytes, all second bytes: 31 copies instead of 4096
        blob[lane + 1 :: 32] = content[lane::_USABLE]
    return bytes(blob)


def unpack(blob: bytes) -> bytes:
    """What ``pack`` put in. Raises ``Malformed`` for a blob that it did not make."""
    if len(blob) != BLOB_BYTES or any(blob[::32]):
        raise Malformed("blob: not 4096 field elements of 31 bytes")
    content = bytearray(FIELD_ELEMENTS * _USABLE)
    for lane in range(_USABLE):
        content[lane::_USABLE] = blob[lane + 1 :: 32]
    length = int.from_bytes(content[:_HEAD_BYTES], "big")
    if length > CAPACITY_BYTES or any(content[_HEAD_BYTES + length :]):
        raise Malformed("blob: its length does not fit its content")
    return bytes(content[_HEAD_BYTES : _HEAD_BYTES + length])
