"""Seeing another node that signs with the same key: on this machine by a lock, elsewhere by where a guard was made.

The lock is a socket name in the kernel (an abstract UNIX address), made of key and chain, not of any path: it is
seen by every process in the same network namespace whatever folder it runs in, and is gone with the process that
holds it. What neither lock nor home can see, DA and evidence must: ``docs/guard.md`` says which.
"""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sequencer.core.errors import Temporary
from sequencer.core.keccak import keccak256
from sequencer.preconf.guard_format import GuardedChain, Home

LOCK_WAIT_S: Final = 10.0
"""A process that was killed may take a moment to be gone."""
_RETRY_S: Final = 0.02
_MACHINE_ID: Final = Path("/etc/machine-id")


@contextlib.contextmanager
def hold_key(chain: GuardedChain, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Be the only process here that signs with this key on this chain. Blocking; raises ``Temporary``."""
    name = keccak256(b"rollup-sequencer guard" + chain.key + chain.chain_id.to_bytes(32, "big") + chain.genesis_hash)
    give_up = time.monotonic() + wait_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as lock:
        while True:
            try:
                lock.bind(f"\0rollup-sequencer-{name.hex()[:32]}")
                break
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise Temporary(f"the lock of the signing key cannot be taken: {error.strerror}") from error
            if time.monotonic() >= give_up:
                raise Temporary(
                    f"another process on this machine signs with key 0x{chain.key.hex()} on chain {chain.chain_id}, "
                    "from whichever folder: stop it first; two nodes with one key would contradict each other"
                )
            time.sleep(_RETRY_S)
        yield


def home_of(fd: int) -> Home:
    """Where an open guard file is: its inode, and the machine by a one-way name (zero where it has none)."""
    try:
        text = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    machine = keccak256(b"rollup-sequencer guard" + text.encode())[:16] if text else bytes(16)
    return Home(os.fstat(fd).st_ino, machine)
