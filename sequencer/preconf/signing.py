"""Signing under guard: the one place where flashblocks and batches get their signature.

No other part is given the key. Each flashblock passes through three steps, in this order: ``prepare`` makes the
guard's record durable, the caller makes the log durable (at the same time, so that the two syncs overlap), and
``sign`` is called when both are. Signatures are deterministic (RFC 6979), so signing the same flashblock again,
after a restart, gives the same promise and not a second one.
"""

import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

from sequencer.core.batch import BatchHeader
from sequencer.core.eip712 import Domain
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.ports import Signer
from sequencer.core.types import Address, Hash32, Signature
from sequencer.preconf.guard import FLASHBLOCKS_PER_APPEND, GuardRefused, GuardState, SignedBatch, check_batch
from sequencer.preconf.guard_file import GuardFile

_PREPARED_KEPT: Final = 4 * FLASHBLOCKS_PER_APPEND
"""Flashblocks that are recorded and may be signed, once more too; older ones are below the watermark."""


class GuardedSigner:
    """One key on one chain behind its guard. Any thread may call; blocking but for ``check``."""

    def __init__(self, signer: Signer, domain: Domain, file: GuardFile) -> None:
        self._signer = signer
        self._domain = domain
        self._file = file
        self._lock = threading.Lock()
        self._prepared: deque[Hash32] = deque(maxlen=_PREPARED_KEPT)
        self._on_chain: Collection[Hash32] = ()

    @property
    def address(self) -> Address:
        """The address whose key this is."""
        return self._signer.address

    @property
    def state(self) -> GuardState:
        """The watermark."""
        return self._file.state

    @property
    def newest_batch(self) -> SignedBatch | None:
        """The batch with the highest sequence that was signed."""
        batches = self._file.batches
        if not batches:
            return None
        sequence = max(batches)
        return SignedBatch(sequence, batches[sequence])

    def check(self, flashblocks: Sequence[Flashblock]) -> None:
        """Raise ``GuardRefused`` if any of them may not be signed, before it goes anywhere."""
        self._file.state.extended(flashblocks)

    def prepare(self, flashblocks: Sequence[Flashblock]) -> None:
        """Record durably that ``flashblocks``, in order, may be signed from now on. Raises ``GuardRefused``."""
        with self._lock:
            before = self._file.state
            after = before.extended(flashblocks)
            if after != before:
                self._file.write(after)
            self._prepared.extend(flashblock.struct_hash for flashblock in flashblocks)

    def sign(self, flashblocks: Sequence[Flashblock]) -> list[SignedFlashblock]:
        """Promise what was prepared and is durable in the log by now. Raises ``GuardRefused`` for anything else."""
        if not flashblocks:
            return []
        with self._lock:
            for flashblock in flashblocks:
                self._check_recorded(flashblock)
            state = self._file.state
            newest = state.newest
            if newest != state.proven and newest is not None and flashblocks[-1].struct_hash == newest.struct_hash:
                self._file.write(state.settled(), sync=False)  # the next record's sync covers it
        digest, sign, address = self._domain.digest, self._signer.sign, self.address
        return [SignedFlashblock(f, address, sign(digest(f.struct_hash))) for f in flashblocks]

    def _check_recorded(self, flashblock: Flashblock) -> None:
        struct_hash = flashblock.struct_hash
        if struct_hash not in self._prepared and struct_hash not in self._on_chain:
            raise GuardRefused(
                f"flashblock {flashblock.index} of block {flashblock.block_number} is not recorded in the guard: a "
                "promise is signed only after its record is durable"
            )

    def sign_batch(self, header: BatchHeader) -> Signature:
        """Record durably, then sign. Raises ``GuardRefused`` for a second batch of one sequence."""
        with self._lock:
            check_batch(self._file.batches, header)
            if header.sequence not in self._file.batches:
                self._file.write_batch(SignedBatch(header.sequence, header.struct_hash))
        return self._signer.sign(self._domain.digest(header.struct_hash))

    def resume(self, state: GuardState, on_chain: Collection[Hash32]) -> None:
        """Take over what a comparison with the log found: the watermark, and what may be signed again."""
        with self._lock:
            if state != self._file.state:
                self._file.write(state)
            self._on_chain = on_chain

    def lead(self) -> None:
        """Nothing is left to be signed again: from now on only what is new."""
        with self._lock:
            self._on_chain = ()
