"""When a transaction arrived, as a sequencer says it to a sender beforehand.

::

    Received(bytes32 txHash,uint64 sequence,uint64 receivedMs)       EIP-712, the domain of all our promises
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sequencer.core.eip712 import word
from sequencer.core.keccak import keccak256
from sequencer.core.types import Hash32

RECEIVED_TYPE: Final = "Received(bytes32 txHash,uint64 sequence,uint64 receivedMs)"
_TYPE_HASH: Final = keccak256(RECEIVED_TYPE.encode())


@dataclass(frozen=True)
class Received:
    """What is signed. ``received_ms`` is unix milliseconds."""

    transaction_hash: Hash32
    sequence: int
    received_ms: int

    @cached_property
    def struct_hash(self) -> Hash32:
        """The EIP-712 struct hash."""
        return keccak256(_TYPE_HASH + self.transaction_hash + word(self.sequence) + word(self.received_ms))
