"""The receipt that a sequencer signs for a sender: this transaction is in the pool, under this number.

Arrival records in log and batches are the leader's own word. A receipt is the same word given to somebody
else beforehand: a leader whose records differ from its receipts is shown to have falsified one of them.

It promises no place and no inclusion, only that the record will say the same. A transaction that left the
pool without being included and is sent again arrives anew, and gets a new receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sequencer.core import encoding, secp256k1
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Malformed
from sequencer.core.received import Received
from sequencer.core.types import UINT64_MAX, Address, Signature


@dataclass(frozen=True, slots=True)
class SignedReceived:
    """A receipt and who signed it."""

    received: Received
    signer: Address
    signature: Signature

    def verified(self, domain: Domain) -> bool:
        """The signature is the stated signer's, for the rollup of ``domain``."""
        try:
            signer = secp256k1.recover_signature(domain.digest(self.received.struct_hash), self.signature)
        except Malformed:
            return False
        return signer == self.signer

    def to_json(self) -> dict[str, str]:
        """What ``sequencer_getReceived`` answers, without the domain."""
        return {
            "txHash": encoding.data(self.received.transaction_hash),
            "sequence": encoding.quantity(self.received.sequence),
            "receivedMs": encoding.quantity(self.received.received_ms),
            "signer": encoding.data(self.signer),
            "signature": encoding.data(self.signature),
        }


def from_json(document: Mapping[str, Any]) -> SignedReceived:
    """The receipt that ``to_json`` wrote; other members are left aside. Raises ``Malformed``."""
    try:
        return SignedReceived(
            Received(
                encoding.parse_hash(document["txHash"]),
                encoding.parse_quantity(document["sequence"], UINT64_MAX),
                encoding.parse_quantity(document["receivedMs"], UINT64_MAX),
            ),
            encoding.parse_address(document["signer"]),
            Signature(encoding.parse_data(document["signature"], 65)),
        )
    except KeyError as error:
        raise Malformed(f"a receipt lacks {error}") from None
