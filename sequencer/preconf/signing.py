"""Signing under guard: the one place where flashblocks and batches get their signature.

No other part is given the key. Each flashblock passes through three steps, in this order: ``admit`` checks it before
the log gets it, ``sign`` records it in the guard's file and signs it once the log holds it durably, and ``settle``
makes that record durable. The log's entry names place and hash as the guard's record does, so that one sync, the
log's, makes a flashblock and the right to sign it durable; the file follows, and always before anything more is
signed. Signatures are deterministic (RFC 6979), so signing the same flashblock again, after a restart, gives the same
promise and not a second one.
"""

import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

from sequencer.core.batch import BatchHeader
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Fatal
from sequencer.core.flashblock import Flashblock, SignedFlashblock
from sequencer.core.ports import Signer
from sequencer.core.received import Received
from sequencer.core.types import Address, Hash32, Signature
from sequencer.preconf.guard import FLASHBLOCKS_AHEAD, GuardRefused, GuardState, SignedBatch, check_batch
from sequencer.preconf.guard_file import GuardFile

_KEPT: Final = 4 * FLASHBLOCKS_AHEAD
"""Flashblocks that were admitted and may be signed, once more too; older ones are below the watermark."""


class SigningHalted(Fatal):
    """The key signs nothing any more, for the reason given when it was halted; no restart of a stage helps."""


class GuardedSigner:
    """One key on one chain behind its guard. Any thread may call; blocking but for ``admit``."""

    def __init__(self, signer: Signer, domain: Domain, file: GuardFile) -> None:
        self._signer = signer
        self._domain = domain
        self._file = file
        self._admitting = threading.Lock()
        self._admitted: GuardState | None = None
        self._admitted_hashes: deque[Hash32] = deque(maxlen=_KEPT)
        self._recording = threading.Lock()
        self._recorded: deque[Hash32] = deque(maxlen=_KEPT)
        self._on_chain: Collection[Hash32] = ()
        self._halted: str | None = None

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

    def admit(self, flashblocks: Sequence[Flashblock]) -> None:
        """The next to be signed, checked before the log has them, which forgets nothing. Raises ``GuardRefused``,
        and ``SigningHalted`` if nothing is signed any more."""
        self._check_running()
        with self._admitting:
            before = self._admitted if self._admitted is not None else self._file.state
            self._admitted = before.extended(flashblocks)
            self._admitted_hashes.extend(flashblock.struct_hash for flashblock in flashblocks)

    def halt(self, reason: str) -> None:
        """Sign nothing from now on; what is being signed elsewhere at this moment may still be. The first reason
        stands."""
        self._halted = self._halted or reason

    def sign(self, flashblocks: Sequence[Flashblock]) -> list[SignedFlashblock]:
        """Promise what was admitted and is durable in the log by now. Raises ``GuardRefused`` for anything else.

        Recorded so that it outlives this process when this returns, and the machine after ``settle``.
        """
        if not flashblocks:
            return []
        self._check_running()
        with self._recording:
            self._file.sync()  # of what was signed before
            fresh = [f for f in flashblocks if not self._may_sign_again(f.struct_hash)]
            for flashblock in fresh:
                self._check_admitted(flashblock)
            if fresh:
                self._file.write(self._file.state.extended(fresh), sync=False)
                self._recorded.extend(flashblock.struct_hash for flashblock in fresh)
        return [SignedFlashblock(f, self.address, self._sign(f.struct_hash)) for f in flashblocks]

    def _sign(self, struct_hash: Hash32) -> Signature:
        self._check_running()
        return self._signer.sign(self._domain.digest(struct_hash))

    def _check_running(self) -> None:
        if self._halted is not None:
            raise SigningHalted(self._halted)

    def settle(self) -> None:
        """Everything that was signed is durable in the guard's file when this returns."""
        with self._recording:
            self._file.sync()

    def _may_sign_again(self, struct_hash: Hash32) -> bool:
        return struct_hash in self._recorded or struct_hash in self._on_chain

    def _check_admitted(self, flashblock: Flashblock) -> None:
        if flashblock.struct_hash not in self._admitted_hashes:
            raise GuardRefused(
                f"flashblock {flashblock.index} of block {flashblock.block_number} was not admitted by the guard: a "
                "promise is checked before the log has it, and signed after"
            )

    def sign_batch(self, header: BatchHeader) -> Signature:
        """Record durably, then sign. Raises ``GuardRefused`` for a second batch of one sequence."""
        self._check_running()
        with self._recording:
            check_batch(self._file.batches, header)
            if header.sequence not in self._file.batches:
                self._file.write_batch(SignedBatch(header.sequence, header.struct_hash))
        return self._sign(header.struct_hash)

    def sign_received(self, received: Received) -> Signature:
        """Sign a statement of when something arrived, in the chain's domain. It promises no place, and two of them
        never contradict each other as flashblocks can, so nothing is recorded."""
        return self._sign(received.struct_hash)

    def resume(self, state: GuardState, on_chain: Collection[Hash32]) -> None:
        """Take over what a comparison with the log found: the watermark, and what may be signed again."""
        with self._admitting, self._recording:
            if state != self._file.state:
                self._file.write(state)
            self._admitted = state
            self._on_chain = on_chain

    def lead(self) -> None:
        """Nothing is left to be signed again: from now on only what is new."""
        with self._recording:
            self._on_chain = ()
