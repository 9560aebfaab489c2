"""Blocks whose tries are kept up behind the execution, while another thread recovers senders.

Run with one worker thread for parallel work (``RAYON_NUM_THREADS=1``): whoever waits for a lock on that thread stops
everybody. Prints the number of the last block.
"""

import sys
import tempfile
import threading
from pathlib import Path

from execution.evm.native.engine import NativeEngine
from execution.evm.native.recovery import NativeRecovery
from sequencer.core.keccak import keccak256
from sequencer.core.ports import EntryRules
from sequencer.core.types import Address, Hash32
from tests.conformance.execution.chains import CHAIN_ID
from tests.conformance.execution.users import User
from tests.integration.execution.native.growing_chain import GENESIS, attributes

RULES = EntryRules(CHAIN_ID, "osaka", 2**63, 0, 0)
BLOCKS = 12
STEPS = 8
"""A block: each pushes enough to wake whoever keeps the tries up."""
STEP = 150


def run(folder: Path) -> int:
    """The height that was reached."""
    user = User(0)
    raws = [user.send(_stranger(index), 1, gas=21_000) for index in range(BLOCKS * STEPS * STEP)]
    engine, recovery, done = NativeEngine(folder), NativeRecovery(), threading.Event()
    head: Hash32 = engine.open(GENESIS).hash

    # Known before, so that sealing comes right behind the execution and finds work that has not begun.
    transactions = recovery.recover(raws, RULES)

    def recover_all_the_time() -> None:
        while not done.is_set():
            recovery.recover(raws[:512], RULES)

    other = threading.Thread(target=recover_all_the_time, daemon=True)
    other.start()
    for number in range(1, BLOCKS + 1):
        engine.begin(attributes(number, head))
        for step in range(STEPS):
            at = ((number - 1) * STEPS + step) * STEP
            for answer in engine.apply(transactions[at : at + STEP]):  # type: ignore[arg-type]
                assert not isinstance(answer, Exception), answer
        head = engine.seal().header.hash
        engine.commit(number)
    done.set()
    other.join()
    return engine.height()


def _stranger(index: int) -> Address:
    return Address(keccak256(b"crowd %d" % index)[12:])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(f"{run(Path(scratch))}\n")
