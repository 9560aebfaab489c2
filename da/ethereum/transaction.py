"""The two kinds of transaction that post: type 2 (EIP-1559) for calldata, type 3 (EIP-4844) for blobs.

::

    type 2    0x02 || rlp([chainId, nonce, tip, maxFee, gas, to, value, data, accessList, yParity, r, s])
    type 3    0x03 || rlp([chainId, nonce, tip, maxFee, gas, to, value, data, accessList, maxBlobFee, versionedHashes,
                           yParity, r, s])
    sent as   0x03 || rlp([[the list above], wrapperVersion = 1, blobs, commitments, cell proofs])       EIP-7594
              0x03 || rlp([[the list above], blobs, commitments, proofs])                                EIP-4844
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sequencer.core import rlp
from sequencer.core.keccak import keccak256
from sequencer.core.types import Address, Hash32, Signature

DYNAMIC_FEE: Final = 2
BLOB: Final = 3

Sign = Callable[[Hash32], Signature]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A blob with what proves it: 128 cell proofs under wrapper version 1, one proof under version 0."""

    blob: bytes
    commitment: bytes
    proofs: tuple[bytes, ...]
    versioned_hash: Hash32


@dataclass(frozen=True, slots=True)
class Fees:
    """What is offered, in wei per gas and per blob gas (0 without blobs)."""

    max_fee: int
    tip: int
    blob_fee: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract, without what changes when it is sent again for higher fees."""

    chain_id: int
    nonce: int
    gas: int
    to: Address
    data: bytes
    versioned_hashes: tuple[Hash32, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A signed call: its hash, and the transaction without and with its blobs."""

    hash: Hash32
    encoded: bytes

    def network_form(self, sidecars: Sequence[Sidecar], wrapper_version: int) -> bytes:
        """What ``eth_sendRawTransaction`` takes."""
        if not sidecars:
            return self.encoded
        wrapper = [rlp.encode_bytes(rlp.uint(wrapper_version))] if wrapper_version else []
        parts = [
            self.encoded[1:],
            *wrapper,
            rlp.encode([sidecar.blob for sidecar in sidecars]),
            rlp.encode([sidecar.commitment for sidecar in sidecars]),
            rlp.encode([proof for sidecar in sidecars for proof in sidecar.proofs]),
        ]
        return bytes((BLOB,)) + rlp.encode_list(parts)


def sign(call: Call, fees: Fees, signer: Sign) -> SignedCall:
    """The call as a signed transaction. Blocks as long as the signer does."""
    fields: list[rlp.Item] = [
        rlp.uint(call.chain_id),
        rlp.uint(call.nonce),
        rlp.uint(fees.tip),
        rlp.uint(fees.max_fee),
        rlp.uint(call.gas),
        call.to,
        b"",
        call.data,
        [],
    ]
    kind = DYNAMIC_FEE
    if call.versioned_hashes:
        kind = BLOB
        fields += [rlp.uint(fees.blob_fee), list(call.versioned_hashes)]
    signature = signer(keccak256(bytes((kind,)) + rlp.encode(fields)))
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    encoded = bytes((kind,)) + rlp.encode([*fields, rlp.uint(signature[64] - 27), rlp.uint(r), rlp.uint(s)])
    return SignedCall(keccak256(encoded), encoded)
