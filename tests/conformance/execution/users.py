"""Users of a chain in engine tests: keys that sign transactions of every type."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sequencer.core import rlp, secp256k1
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32

CHAIN_ID = 7357
GWEI = 10**9
FEE_CAP = 100 * GWEI
TIP = GWEI


@dataclass
class User:
    """One key. Counts its own nonces unless told otherwise."""

    number: int
    nonce: int = 0
    key: bytes = field(init=False)
    address: Address = field(init=False)

    def __post_init__(self) -> None:
        self.key = keccak256(b"user %d" % self.number)
        self.address = secp256k1.address_of_private_key(self.key)

    def send(
        self,
        to: bytes = b"",
        value: int = 0,
        data: bytes = b"",
        *,
        kind: int = 2,
        gas: int = 200_000,
        nonce: int | None = None,
        cap: int = FEE_CAP,
        tip: int = TIP,
        chain_id: int | None = CHAIN_ID,
        access_list: Sequence[rlp.Item] = (),
        authorizations: Sequence[rlp.Item] = (),
    ) -> bytes:
        """A signed transaction of type ``kind``; of type 0 without EIP-155 when ``chain_id`` is None."""
        if nonce is None:
            nonce, self.nonce = self.nonce, self.nonce + 1
        call: list[rlp.Item] = [rlp.uint(gas), to, rlp.uint(value), data]
        if kind == 0:
            return self._legacy([rlp.uint(nonce), rlp.uint(cap), *call], chain_id)
        fees = [rlp.uint(cap)] if kind == 1 else [rlp.uint(tip), rlp.uint(cap)]
        body: list[rlp.Item] = [rlp.uint(chain_id or 0), rlp.uint(nonce), *fees, *call, access_list]
        if kind == 3:
            body += [rlp.uint(GWEI), [b"\x01" + bytes(31)]]
        if kind == 4:
            body.append(authorizations)
        prefix = bytes((kind,))
        return prefix + rlp.encode([*body, *self._proof(keccak256(prefix + rlp.encode(body)))])

    def authorize(self, target: bytes, nonce: int, chain_id: int = CHAIN_ID) -> list[rlp.Item]:
        """A signed wish to run the code of ``target`` (EIP-7702)."""
        signed: list[rlp.Item] = [rlp.uint(chain_id), target, rlp.uint(nonce)]
        return [*signed, *self._proof(keccak256(b"\x05" + rlp.encode(signed)))]

    def created(self, nonce: int) -> Address:
        """Where this user's transaction with ``nonce`` creates a contract."""
        return Address(keccak256(rlp.encode([self.address, rlp.uint(nonce)]))[12:])

    def _legacy(self, body: list[rlp.Item], chain_id: int | None) -> bytes:
        signed = body if chain_id is None else [*body, rlp.uint(chain_id), b"", b""]
        parity, r, s = self._proof(keccak256(rlp.encode(signed)))
        y = int.from_bytes(parity, "big") if isinstance(parity, bytes) else 0
        v = 27 + y if chain_id is None else 35 + 2 * chain_id + y
        return rlp.encode([*body, rlp.uint(v), r, s])

    def _proof(self, digest: bytes) -> list[rlp.Item]:
        signature = secp256k1.sign(self.key, Hash32(digest))
        return [rlp.uint(signature[64] - 27), signature[:32].lstrip(b"\0"), signature[32:64].lstrip(b"\0")]
