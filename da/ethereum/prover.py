"""The handle on the process that computes KZG commitments and proofs. Blocking: call it in a thread."""

import subprocess
import sys
import threading
from typing import IO

from da.ethereum import kzg, packing
from da.ethereum.kzg import Operation
from da.ethereum.transaction import Sidecar
from sequencer.core.errors import Temporary
from sequencer.core.types import Hash32


class Prover:
    """Starts its process at the first question, and again after it died. Close it at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def sidecar(self, data: bytes, wrapper_version: int) -> Sidecar:
        """The blob that carries ``data``, with its proofs. Raises ``Temporary``, ``Malformed`` if it is too much."""
        blob = packing.pack(data)
        operation = Operation.CELL_PROOFS if wrapper_version else Operation.BLOB_PROOF
        answer = self._ask(operation, blob)
        commitment, proofs = answer[: kzg.COMMITMENT_BYTES], answer[kzg.COMMITMENT_BYTES :]
        pieces = tuple(proofs[at : at + kzg.COMMITMENT_BYTES] for at in range(0, len(proofs), kzg.COMMITMENT_BYTES))
        return Sidecar(blob, commitment, pieces, kzg.versioned_hash(commitment))

    def versioned_hash(self, blob: bytes) -> Hash32:
        """How a block names this blob, of 131072 bytes. Raises ``Temporary``."""
        return kzg.versioned_hash(self._ask(Operation.COMMIT, blob))

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, operation: Operation, blob: bytes) -> bytes:
        with self._lock:
            try:
                requests, answers = self._pipes()
                requests.write(bytes((operation,)) + blob)
                requests.flush()
                answer = answers.read(operation.answer_bytes)
            except OSError as error:
                self._end()
                raise Temporary(f"the KZG process ended: {error}") from error
            if len(answer) != operation.answer_bytes:
                self._end()
                raise Temporary("the KZG process ended before it answered")
            return answer

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", kzg.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise Temporary("the KZG process has no pipes")
        return process.stdin, process.stdout

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
