"""Signing flashblocks: the one place where a promise gets its signature.

Callers have made the flashblocks durable first. Signatures are deterministic (RFC 6979), so signing the
same flashblock again, after a restart, gives the same promise and not a second one.
"""

from collections.abc import Sequence

from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.ports import Signer


def sign_flashblocks(signer: Signer, domain: Domain, flashblocks: Sequence[Flashblock]) -> list[SignedFlashblock]:
    """Blocking; one signature a flashblock."""
    address = signer.address
    return [SignedFlashblock(f, address, signer.sign(domain.digest(f.struct_hash))) for f in flashblocks]
