"""A chain of the native engine that grows its own state, as a real one does, and reopens it from disk."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.micro import workloads
from bench.micro.workloads import FUND, TOKEN, attributes, filler_address, signed, user_address, word
from execution.evm.native.engine import NativeEngine
from execution.evm.native.recovery import NativeRecovery
from sequencer.core.block import Header
from sequencer.core.errors import Rejected
from sequencer.core.ports import EntryRules
from sequencer.core.transaction import Transaction
from sequencer.core.types import Address

RULES: Final = EntryRules(workloads.CHAIN_ID, "prague", workloads.GAS_LIMIT, 0, 0)
USERS: Final = 1_000
FUNDED: Final = 10_000
"""Accounts that one block creates while the state grows."""
STRIDE: Final = 7_919
"""A prime: the accounts to touch are taken in steps of it, so that none comes twice before all were there."""


@dataclass
class Chain:
    """An engine, its newest header, and where its users' nonces stand."""

    folder: Path
    engine: NativeEngine
    head: Header
    fillers: int = 0
    nonces: dict[int, int] = field(default_factory=dict)
    used: int = 0

    def sign(self, user: int, to: bytes, value: int = 0, data: bytes = b"", gas: int = 21_000) -> bytes:
        nonce = self.nonces.get(user, 0)
        self.nonces[user] = nonce + 1
        return signed(user, nonce, Address(to), value, data, gas)

    def transfers(self, count: int) -> list[bytes]:
        """From users in turn to accounts that were not touched since the state grew."""
        targets = ((self.used + at) * STRIDE % self.fillers for at in range(count))
        self.used += count
        return [self.sign(at % USERS, filler_address(target), 1) for at, target in enumerate(targets)]

    def token_transfers(self, count: int) -> list[bytes]:
        """From users in turn to the next one."""
        calls = (bytes(12) + user_address((at + 1) % USERS) + word(1) for at in range(count))
        return [self.sign(at % USERS, TOKEN, 0, call, 100_000) for at, call in enumerate(calls)]

    def build(self, transactions: Sequence[Transaction]) -> None:
        """A block, sealed and committed."""
        self.engine.begin(attributes(self.head))
        outcomes = self.engine.apply(transactions)
        assert not [done for done in outcomes if isinstance(done, Rejected) or not done.succeeded]
        self.head = self.engine.seal().header
        self.engine.commit(self.head.number)

    def grow(self, fillers: int) -> None:
        """Block by block, until there are ``fillers`` more accounts."""
        for start in range(self.fillers, fillers, FUNDED):
            stop = min(start + FUNDED, fillers)
            fund = self.sign(0, FUND, 0, word(start) + word(stop), 100_000 + 40_000 * (stop - start))
            self.build(recover([fund]))
            self.fillers = stop

    def reopen(self) -> None:
        """From disk, with nothing in the process's memory; the operating system's cache stays as it is."""
        self.engine.close()
        self.engine = NativeEngine(self.folder)
        self.engine.open(workloads.genesis(USERS))
        assert self.engine.height() == self.head.number


@contextmanager
def open_chain(fillers: int) -> Iterator[Chain]:
    """A state of ``fillers`` accounts in a folder that goes away."""
    folder = Path(tempfile.mkdtemp())
    engine = NativeEngine(folder)
    chain = Chain(folder, engine, engine.open(workloads.genesis(USERS)))
    try:
        chain.grow(fillers)
        yield chain
    finally:
        chain.engine.close()
        shutil.rmtree(folder)


def recover(raws: Sequence[bytes]) -> list[Transaction]:
    """All of them, none refused."""
    answers = NativeRecovery().recover(raws, RULES)
    refused = [answer for answer in answers if isinstance(answer, Rejected)]
    assert not refused, refused[0]
    return [answer for answer in answers if not isinstance(answer, Rejected)]
