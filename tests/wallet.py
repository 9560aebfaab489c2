"""A wallet for tests: signs type-2 transactions fast enough to load a node."""

from dataclasses import dataclass

from sequencer.core import rlp, secp256k1
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address

GWEI = 10**9


@dataclass
class Wallet:
    """One key on one chain; counts its own nonces."""

    key: bytes
    chain_id: int
    nonce: int = 0

    @property
    def address(self) -> Address:
        return secp256k1.address_of_private_key(self.key)

    def sign(
        self,
        to: bytes = b"",
        value: int = 0,
        data: bytes = b"",
        gas_limit: int = 21_000,
        max_fee_per_gas: int = 100 * GWEI,
        tip: int = GWEI,
        nonce: int | None = None,
    ) -> bytes:
        """Raw bytes; without ``nonce`` the next one is used up."""
        if nonce is None:
            nonce = self.nonce
            self.nonce += 1
        numbers = [self.chain_id, nonce, tip, max_fee_per_gas, gas_limit]
        fields: list[rlp.Item] = [*map(rlp.uint, numbers), to, rlp.uint(value), data, []]
        digest = keccak256(b"\x02" + rlp.encode(fields))
        signature = secp256k1.sign(self.key, digest)
        proof = [rlp.uint(signature[64] - 27), signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")]
        return b"\x02" + rlp.encode([*fields, *proof])


def transaction_hash(raw: bytes) -> str:
    """As JSON-RPC writes it."""
    return "0x" + keccak256(raw).hex()
