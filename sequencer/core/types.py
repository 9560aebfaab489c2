"""Names for the byte strings and numbers that must not be mixed up.

They cost nothing at run time; the type checker tells an address from a hash.
"""

from typing import Final, NewType

Address = NewType("Address", bytes)
"""20 bytes."""
Hash32 = NewType("Hash32", bytes)
"""32 bytes: a Keccak-256 digest or a word."""
Signature = NewType("Signature", bytes)
"""65 bytes, r || s || v, v in {27, 28}, low s: what ``ecrecover`` and EIP-712 wallets take."""

ZERO_ADDRESS: Final = Address(bytes(20))
ZERO_HASH: Final = Hash32(bytes(32))
UINT32_MAX: Final = 2**32 - 1
UINT64_MAX: Final = 2**64 - 1
UINT256_MAX: Final = 2**256 - 1
