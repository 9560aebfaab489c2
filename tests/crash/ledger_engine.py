"""An execution engine that keeps balances out of it: deterministic, fast, and forgetful like a real one.

It counts nonces, makes outcomes and headers, and commits heights. What is not committed is gone with the process;
what was committed since the last ``sync`` may be gone with the power.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.calls import AccountView
from sequencer.core.errors import Reason, Rejected
from sequencer.core.genesis import Genesis
from sequencer.core.keccak import EMPTY_HASH, keccak256
from sequencer.core.ports import StateAt
from sequencer.core.receipt import Outcome, outcome
from sequencer.core.transaction import Transaction
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from tests.crash.steps import Steps

RICH_WEI = 10**24


@dataclass
class Committed:
    """What is on the engine's disk: each block's nonces and state root, and how much of it is synced."""

    nonces: list[dict[Address, int]] = field(default_factory=lambda: [{}])
    roots: list[Hash32] = field(default_factory=lambda: [ZERO_HASH])
    synced: int = 0

    def lose(self, random: Random) -> None:
        """The power goes."""
        self.truncate(random.randint(self.synced, len(self.roots) - 1))

    def truncate(self, height: int) -> None:
        del self.nonces[height + 1 :]
        del self.roots[height + 1 :]


class LedgerEngine:
    """One process's engine over ``disk``."""

    name = "ledger"
    forks = ("cancun", "prague")

    def __init__(self, disk: Committed, steps: Steps) -> None:
        self._disk = disk
        self._steps = steps
        self._sealed = [dict(nonces) for nonces in disk.nonces]
        self._roots = list(disk.roots)
        self._attributes: PayloadAttributes | None = None
        self._open: dict[Address, int] = {}
        self._taken: list[tuple[Transaction, Outcome]] = []
        self._gas = 0

    def open(self, genesis: Genesis) -> Header:
        spec = genesis.spec
        return Header(
            parent_hash=ZERO_HASH,
            coinbase=ZERO_ADDRESS,
            state_root=ZERO_HASH,
            number=0,
            gas_limit=spec.gas_limit,
            timestamp=genesis.timestamp,
            prev_randao=spec.seed,
            base_fee_per_gas=spec.fees.initial_base_fee_wei,
        )

    def height(self) -> int:
        return len(self._disk.roots) - 1

    def begin(self, attributes: PayloadAttributes) -> None:
        assert attributes.number == len(self._roots), "blocks follow each other"
        self._attributes, self._open, self._taken, self._gas = attributes, dict(self._sealed[-1]), [], 0

    def apply(self, transactions: Sequence[Transaction]) -> list[Outcome | Rejected]:
        answers: list[Outcome | Rejected] = []
        for transaction in transactions:
            expected = self._open.get(transaction.sender, 0)
            if transaction.nonce != expected:
                low = transaction.nonce < expected
                answers.append(Rejected(Reason.NONCE_TOO_LOW if low else Reason.NONCE_TOO_HIGH))
                continue
            self._open[transaction.sender] = expected + 1
            self._gas += 21_000
            answers.append(outcome(transaction.type, True, 21_000, self._gas, None, ()))
            self._taken.append((transaction, answers[-1]))
        return answers

    def seal(self) -> Block:
        attributes = self._attributes
        assert attributes is not None, "a block is open"
        hashes = b"".join(transaction.hash for transaction, _ in self._taken)
        root = keccak256(self._roots[-1] + hashes)
        header = Header(
            parent_hash=attributes.parent_hash,
            coinbase=attributes.coinbase,
            state_root=root,
            transactions_root=keccak256(hashes),
            number=attributes.number,
            gas_limit=attributes.gas_limit,
            gas_used=self._gas,
            timestamp=attributes.timestamp,
            extra_data=attributes.extra_data,
            prev_randao=attributes.prev_randao,
            base_fee_per_gas=attributes.base_fee_per_gas,
        )
        self._sealed.append(self._open)
        self._roots.append(root)
        block = Block(header, tuple(t for t, _ in self._taken), tuple(o for _, o in self._taken))
        self._attributes, self._taken = None, []
        return block

    def commit(self, number: int) -> None:
        self._steps.take("state commit")
        for at in range(len(self._disk.roots), number + 1):
            self._disk.nonces.append(dict(self._sealed[at]))
            self._disk.roots.append(self._roots[at])

    def sync(self) -> None:
        self._steps.take("state sync")
        self._disk.synced = len(self._disk.roots) - 1

    def unwind(self, to: int) -> None:
        self._steps.take("state unwind")
        self._disk.truncate(to)
        del self._sealed[to + 1 :]
        del self._roots[to + 1 :]
        self._attributes = None

    def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        nonces = self._open if at == "pending" and self._attributes is not None else self._sealed[-1]
        return [AccountView(nonces.get(address, 0), RICH_WEI, EMPTY_HASH) for address in addresses]

    def close(self) -> None:
        """Nothing to release."""
