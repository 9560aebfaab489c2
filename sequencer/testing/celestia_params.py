"""How the fake celestia-node reads parameters: what Go's decoders refuse is refused here, with ``Malformed``."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from da.celestia.commitment import commitment
from da.celestia.namespace import SIZE, Namespace
from sequencer.core.errors import Malformed


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob in a block."""

    namespace: bytes
    data: bytes
    share_version: int
    signer: bytes
    commitment: bytes

    def to_json(self, index: int) -> dict[str, Any]:
        """As the node shows it; ``index`` counts in the extended square."""
        shown: dict[str, Any] = {
            "namespace": b64(self.namespace),
            "data": b64(self.data),
            "share_version": self.share_version,
            "commitment": b64(self.commitment),
            "index": index,
        }
        return shown | ({"signer": b64(self.signer)} if self.share_version else {})


def height(value: Any) -> int:
    """A JSON number that fits into 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise Malformed("json: cannot unmarshal into a uint64")
    return value


def bytes_(value: Any) -> bytes:
    """Strict base64; null is no bytes."""
    if value is None:
        return b""
    try:
        return base64.b64decode(text(value), validate=True)
    except binascii.Error as error:
        raise Malformed(f"illegal base64 data: {error}") from None


def namespace(value: Any) -> bytes:
    """All 29 bytes, of version 0 or 255."""
    raw = bytes_(value)
    if len(raw) != SIZE or raw[0] not in (0, 255) or (raw[0] == 0 and any(raw[1:19])):
        raise Malformed("invalid namespace")
    return raw


def namespaces(value: Any) -> list[bytes]:
    """An array of namespaces."""
    return [namespace(item) for item in _array(value)]


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Malformed("json: cannot unmarshal into a string")
    return value


def options(value: Any) -> dict[str, Any] | None:
    """A TxConfig, or null, which decodes and makes the node panic later."""
    if value is not None and not isinstance(value, dict):
        raise Malformed("json: cannot unmarshal into a TxConfig")
    return value


def blobs(value: Any) -> list[StoredBlob]:
    """An array of blobs."""
    return [_blob(item) for item in _array(value)]


def b64(data: bytes) -> str:
    """base64 with padding."""
    return base64.b64encode(data).decode()


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("json: cannot unmarshal into an array")
    return value


def _blob(item: Any) -> StoredBlob:
    if not isinstance(item, dict):
        raise Malformed("json: cannot unmarshal into a blob")
    space, data = namespace(item.get("namespace")), bytes_(item.get("data"))
    version, signer = item.get("share_version", 0), bytes_(item.get("signer"))
    if version not in (0, 1) or (version == 0 and item.get("signer") is not None):
        raise Malformed("invalid blob")
    # The node computes the commitment itself and ignores the one that is sent.
    return StoredBlob(space, data, version, signer, commitment(Namespace(space), data, version, signer))
