"""Builds and commits blocks until it is killed, and tells of each before it commits it.

Usage: ``python -m ... FOLDER HASH``, with the hash of the block at the height on disk. Writes ``N HASH`` a line.
"""

import sys
from pathlib import Path

from execution.evm.native.engine import NativeEngine
from sequencer.core.types import Hash32
from tests.integration.execution.native.growing_chain import GENESIS, build


def run(folder: Path, parent_hash: Hash32) -> None:
    """Go on from the height on disk."""
    engine = NativeEngine(folder)
    engine.open(GENESIS)
    first = engine.height() + 1
    for number in range(first, first + 100_000):
        parent_hash = build(engine, number, parent_hash).header.hash
        sys.stdout.write(f"{number} {parent_hash.hex()}\n")
        sys.stdout.flush()
        engine.commit(number)


if __name__ == "__main__":
    run(Path(sys.argv[1]), Hash32(bytes.fromhex(sys.argv[2])))
