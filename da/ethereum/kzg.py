"""KZG commitments and proofs (EIP-4844, EIP-7594), and the process that computes them.

The library holds the interpreter lock for a quarter of a second a blob, which no event loop survives. So it runs in a
child process that answers on its standard output and ends when its standard input does, whatever became of us::

    request    operation(1) || blob(131072)
    answer     commitment(48) || proof(48) ...      none for COMMIT, one for BLOB_PROOF, 128 for CELL_PROOFS
"""

import sys
from enum import IntEnum
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final

from da.ethereum.packing import BLOB_BYTES
from sequencer.core.types import Hash32

VERSIONED_HASH_VERSION: Final = 1
COMMITMENT_BYTES: Final = 48
CELLS: Final = 128


class Operation(IntEnum):
    """What is asked for."""

    COMMIT = 0
    BLOB_PROOF = 1
    CELL_PROOFS = 2

    @property
    def answer_bytes(self) -> int:
        """Size of the answer."""
        return COMMITMENT_BYTES * (1, 2, 1 + CELLS)[self]


def versioned_hash(commitment: bytes) -> Hash32:
    """How a block names a blob (EIP-4844)."""
    return Hash32(bytes((VERSIONED_HASH_VERSION,)) + sha256(commitment).digest()[1:])


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    setup: Any = None
    while len(request := requests.read(1 + BLOB_BYTES)) == 1 + BLOB_BYTES:
        setup = setup or _trusted_setup()
        answers.write(_answer(Operation(request[0]), request[1:], setup))
        answers.flush()


def _answer(operation: Operation, blob: bytes, setup: Any) -> bytes:
    import ckzg

    commitment: bytes = ckzg.blob_to_kzg_commitment(blob, setup)
    if operation is Operation.BLOB_PROOF:
        return commitment + bytes(ckzg.compute_blob_kzg_proof(blob, commitment, setup))
    if operation is Operation.CELL_PROOFS:
        _, proofs = ckzg.compute_cells_and_kzg_proofs(blob, setup)
        return commitment + b"".join(proofs)
    return commitment


def _trusted_setup() -> Any:
    """Ethereum's ceremony, as the signing library ships it."""
    import ckzg

    found = find_spec("eth_account")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("eth_account is not installed")
    folder = Path(found.submodule_search_locations[0]) / "typed_transactions" / "blob_transactions"
    return ckzg.load_trusted_setup(str(folder / "kzg_trusted_setup.txt"), 0)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
