"""The calls and the event of ``contracts/src/RollupInbox.sol``, as bytes. Pure.

::

    postBlobs(bytes32)                    selector(4) || headerHash
    postCalldata(bytes32,bytes)           selector(4) || headerHash || 0x40 || length || data, padded to words
    postReference(bytes32,uint8,uint64,bytes32[])
                                          selector(4) || headerHash || layer || height || 0x80 || count || commitments
    BatchReferenced                       topics event, index, headerHash; data layer || height || commitment || poster
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from sequencer.core import encoding
from sequencer.core.eip712 import word
from sequencer.core.errors import Malformed
from sequencer.core.keccak import keccak256
from sequencer.core.types import UINT64_MAX, Address, Hash32


class Place(IntEnum):
    """Where referenced bytes stand; the numbers are those of the contract."""

    BLOBS = 1
    CALLDATA = 2
    CELESTIA = 16


REFERENCED_TOPIC: Final = keccak256(b"BatchReferenced(uint64,bytes32,uint8,uint64,bytes32,address)")
_POST_BLOBS: Final = keccak256(b"postBlobs(bytes32)")[:4]
_POST_CALLDATA: Final = keccak256(b"postCalldata(bytes32,bytes)")[:4]
_POST_REFERENCE: Final = keccak256(b"postReference(bytes32,uint8,uint64,bytes32[])")[:4]
_CALLDATA_HEAD_BYTES: Final = 4 + 3 * 32


@dataclass(frozen=True, slots=True)
class Reference:
    """One blob that the inbox names. ``place`` may be one that we do not know."""

    index: int
    header_hash: Hash32
    place: int
    height: int
    commitment: Hash32
    poster: Address
    block_number: int
    block_hash: Hash32
    log_index: int
    transaction_hash: Hash32


def post_blobs(header_hash: Hash32) -> bytes:
    """Reference the blobs of this very transaction."""
    return _POST_BLOBS + header_hash


def post_calldata(header_hash: Hash32, data: bytes) -> bytes:
    """Publish ``data`` in the call."""
    padding = bytes(-len(data) % 32)
    return _POST_CALLDATA + header_hash + word(64) + word(len(data)) + data + padding


def post_reference(header_hash: Hash32, place: Place, height: int, commitments: Sequence[bytes]) -> bytes:
    """Reference blobs of another layer."""
    head = _POST_REFERENCE + header_hash + word(place) + word(height) + word(128)
    return head + word(len(commitments)) + b"".join(commitments)


def read_calldata(call: bytes) -> bytes:
    """The data of a ``postCalldata``. Raises ``Malformed`` for any other encoding than ours."""
    if call[:4] != _POST_CALLDATA or len(call) < _CALLDATA_HEAD_BYTES:
        raise Malformed("inbox: not a call of postCalldata")
    size = int.from_bytes(call[68:100], "big")
    data = call[_CALLDATA_HEAD_BYTES : _CALLDATA_HEAD_BYTES + size]
    if post_calldata(Hash32(call[4:36]), data) != call:
        raise Malformed("inbox: another encoding of postCalldata than ours")
    return data


def parse_event(log: Mapping[str, Any]) -> Reference:
    """The reference in a log as ``eth_getLogs`` gives it. Raises ``Malformed``."""
    try:
        topics, data = log["topics"], encoding.parse_data(log["data"], 128)
        if encoding.parse_hash(topics[0]) != REFERENCED_TOPIC or len(topics) != 3:
            raise Malformed("inbox: another event")
        return Reference(
            index=_uint64(encoding.parse_hash(topics[1])),
            header_hash=encoding.parse_hash(topics[2]),
            place=data[31],
            height=_uint64(data[32:64]),
            commitment=Hash32(data[64:96]),
            poster=Address(data[108:128]),
            block_number=encoding.parse_quantity(log["blockNumber"], UINT64_MAX),
            block_hash=encoding.parse_hash(log["blockHash"]),
            log_index=encoding.parse_quantity(log["logIndex"], UINT64_MAX),
            transaction_hash=encoding.parse_hash(log["transactionHash"]),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise Malformed(f"inbox: a log without {error}") from None


def _uint64(encoded: bytes) -> int:
    value = int.from_bytes(encoded, "big")
    if value > UINT64_MAX:
        raise Malformed("inbox: a number of more than 64 bits")
    return value
