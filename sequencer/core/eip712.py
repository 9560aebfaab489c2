"""EIP-712 for structs of static fields, which is all that this protocol signs.

::

    digest     = keccak256(0x19 0x01 || domainSeparator || structHash)
    structHash = keccak256(typeHash || word || word ...)          one 32-byte word a field
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32

NAME: Final = "Rollup Sequencer"
VERSION: Final = "1"
_DOMAIN_TYPE: Final = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
)


def word(value: int | bytes) -> bytes:
    """An integer big-endian, or up to 32 bytes left-padded, as one ABI word."""
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    return value.rjust(32, b"\0")


@dataclass(frozen=True)
class Domain:
    """What a signature is good for: one rollup, told by chain id and genesis hash."""

    chain_id: int
    verifying_contract: Address
    genesis_hash: Hash32

    @cached_property
    def separator(self) -> Hash32:
        """The domain separator (EIP-712)."""
        return keccak256(
            _DOMAIN_TYPE
            + keccak256(NAME.encode())
            + keccak256(VERSION.encode())
            + word(self.chain_id)
            + word(self.verifying_contract)
            + self.genesis_hash
        )

    def digest(self, struct_hash: Hash32) -> Hash32:
        """What a key signs for the struct with this hash."""
        return keccak256(b"\x19\x01" + self.separator + struct_hash)

    def to_json(self) -> dict[str, object]:
        """The ``domain`` member that ``eth_signTypedData_v4`` and viem's ``verifyTypedData`` take."""
        return {
            "name": NAME,
            "version": VERSION,
            "chainId": hex(self.chain_id),
            "verifyingContract": "0x" + self.verifying_contract.hex(),
            "salt": "0x" + self.genesis_hash.hex(),
        }
