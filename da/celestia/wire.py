"""The node's JSON and our types (celestia-node, modules ``blob``, ``header`` and ``state``).

Bytes are base64; heights are JSON numbers as parameters and results, and decimal strings inside a header.
Whatever a node answers is parsed strictly: ``Malformed`` says what is wrong, and nothing else is raised.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from da.celestia import shares
from da.celestia.commitment import commitment
from da.celestia.namespace import Namespace
from sequencer.core.errors import Malformed
from sequencer.core.types import UINT64_MAX

Json: TypeAlias = Any
UNIT: Final = "utia"


@dataclass(frozen=True, slots=True)
class CelestiaBlob:
    """A blob as it stands in a block, with the commitment that we computed for it."""

    data: bytes
    commitment: bytes
    index: int
    """Its first share in the extended square; it only tells the order of blobs."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest header that a node has."""

    height: int
    network: str


def blob_json(namespace: Namespace, data: bytes) -> Json:
    """A blob to submit, of share version 0. The commitment is left out: the node computes its own."""
    return {"namespace": encode(namespace), "data": encode(data), "share_version": 0, "index": -1}


def parse_blobs(answer: Json, namespace: Namespace) -> list[CelestiaBlob]:
    """The blobs of one height, in their order. ``null`` and an empty list both mean none; blobs of share versions
    that we do not know, and of other namespaces, are left out."""
    if answer is None:
        return []
    if not isinstance(answer, list):
        raise Malformed("celestia: blobs are no list")
    found = [blob for item in answer if (blob := parse_blob(item, namespace))]
    return sorted(found, key=lambda blob: blob.index)


def parse_blob(item: Json, namespace: Namespace) -> CelestiaBlob | None:
    """One blob; None if it cannot be ours."""
    version = number(member(item, "share_version", 0))
    if version not in shares.VERSIONS or decode(member(item, "namespace")) != namespace:
        return None
    data, signer = decode(member(item, "data")), decode(member(item, "signer", ""))
    return CelestiaBlob(data, commitment(namespace, data, version, signer), signed_number(member(item, "index", -1)))


def parse_head(answer: Json) -> ChainHead:
    """Height and chain id of an ExtendedHeader."""
    header = member(answer, "header")
    text, network = member(header, "height"), member(header, "chain_id")
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 20:
        raise Malformed("celestia: a header's height is no decimal string")
    if not isinstance(network, str):
        raise Malformed("celestia: a header's chain id is no text")
    return ChainHead(number(int(text)), network)


def parse_balance(answer: Json) -> int:
    """An amount of utia."""
    amount = member(answer, "amount")
    if member(answer, "denom") != UNIT or not isinstance(amount, str) or not amount.isdigit() or len(amount) > 40:
        raise Malformed("celestia: a balance is no amount of utia")
    return int(amount)


def number(value: Json) -> int:
    """An unsigned 64-bit integer."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= UINT64_MAX:
        raise Malformed("celestia: a number is expected")
    return value


def signed_number(value: Json) -> int:
    """An integer, perhaps -1."""
    return value if value == -1 and not isinstance(value, bool) else number(value)


def member(item: Json, name: str, default: Json = None) -> Json:
    """A member of an object, or ``default`` if it is absent or null."""
    if not isinstance(item, dict):
        raise Malformed(f"celestia: an object with {name!r} is expected")
    value = item.get(name)
    return default if value is None else value


def encode(data: bytes) -> str:
    """base64 with padding."""
    return base64.b64encode(data).decode()


def decode(text: Json) -> bytes:
    """Strict base64."""
    if not isinstance(text, str):
        raise Malformed("celestia: base64 is expected")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("celestia: base64 is expected") from None


def submit_params(namespace: Namespace, blobs: Sequence[bytes], options: Json) -> list[Json]:
    """Both positional parameters of ``blob.Submit``. The options are always an object: null makes a node panic."""
    return [[blob_json(namespace, data) for data in blobs], dict(options)]
