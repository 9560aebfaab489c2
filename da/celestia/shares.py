"""Shares: the 512-byte pieces in which Celestia lays a blob into its square (go-square, shares of version 0 and 1).

::

    first share    namespace(29) || info(1) || length(4, of the data) || signer(20, version 1 only) || data(478 or 458)
    further ones   namespace(29) || info(1) || data(482)
    info           version << 1 | (1 for the first share of a blob)

The last share is filled with zeros.
"""

from typing import Final

from da.celestia.namespace import Namespace
from sequencer.core.errors import Malformed

SHARE_BYTES: Final = 512
SIGNER_BYTES: Final = 20
VERSIONS: Final = (0, 1)
"""The versions whose layout is known; blobs of others are none of ours."""
_CONTINUED_BYTES: Final = 482
_FIRST_BYTES: Final = 478


def count(data_bytes: int, version: int = 0) -> int:
    """How many shares a blob with this much data takes."""
    further = data_bytes - _first_bytes(version)
    return 1 if further <= 0 else 1 + -(-further // _CONTINUED_BYTES)


def split(namespace: Namespace, data: bytes, version: int = 0, signer: bytes = b"") -> list[bytes]:
    """The shares of a blob. Raises ``Malformed`` for no data, an unknown version, or a signer that does not fit it."""
    if not data:
        raise Malformed("blob: no data")
    if version not in VERSIONS:
        raise Malformed(f"blob: share version {version} is unknown")
    if len(signer) != SIGNER_BYTES * version:
        raise Malformed(f"blob: share version {version} has a signer of {SIGNER_BYTES * version} bytes")
    first = namespace + bytes((version << 1 | 1,)) + len(data).to_bytes(4, "big") + signer
    further = namespace + bytes((version << 1,))
    start = _first_bytes(version)
    pieces = [first + data[:start]]
    pieces += [further + data[at : at + _CONTINUED_BYTES] for at in range(start, len(data), _CONTINUED_BYTES)]
    pieces[-1] = pieces[-1].ljust(SHARE_BYTES, b"\0")
    return pieces


def _first_bytes(version: int) -> int:
    return _FIRST_BYTES - SIGNER_BYTES * version
