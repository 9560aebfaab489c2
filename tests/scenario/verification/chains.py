"""A short chain made by a real engine, and doubles of that engine that lie about one thing."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from execution.selection import open_engine, open_verifying_engine
from sequencer import chain_file
from sequencer.core.block import Block, Header, PayloadAttributes
from sequencer.core.calls import AccountView
from sequencer.core.keccak import keccak256
from sequencer.core.membership import SequencerInfo
from sequencer.core.ports import EntryRules, ExecutionEngine, StateAt
from sequencer.core.receipt import outcome
from sequencer.core.types import UINT64_MAX, Address, Hash32
from sequencer.senders import sender_recovery
from sequencer.storage.blocks import BlockStore
from sequencer.storage.memory import MemoryStorage
from sequencer.verification.comparison import Difference
from sequencer.verification.metrics import VerificationMetrics
from sequencer.verification.reexecution import Witness
from sequencer.verification.service import Verifier
from tests.wallet import Wallet

LEADER = Address(b"\x11" * 20)
CHAIN = chain_file.load(chain_file.find("devnet"))
GENESIS = CHAIN.genesis(
    timestamp=1_700_000_000, seed=keccak256(b"verification"), sequencers=(SequencerInfo(LEADER, LEADER),)
)
RULES = EntryRules(GENESIS.spec.chain_id, "prague", 30_000_000, 0, 0, UINT64_MAX)
COUNTER = bytes.fromhex("5f54600101805f55600052602060 00f3".replace(" ", ""))
"""Adds one to its slot 0 whenever it is called."""


class Double:
    """A real engine that lies where it is told to: its own state is honest, what it says of it is not."""

    def __init__(self, engine: ExecutionEngine) -> None:
        self._engine = engine
        self.false_receipt: tuple[int, int] | None = None
        self.false_balance: tuple[int, Address] | None = None
        self.false_slot: tuple[int, Address, Hash32] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def seal(self) -> Block:
        block = self._engine.seal()
        number = block.header.number
        if self.false_receipt and self.false_receipt[0] == number:
            outcomes, at = list(block.outcomes), self.false_receipt[1]
            outcomes[at] = outcome(2, False, 21_000, outcomes[at].cumulative_gas_used, None, ())
            block = replace(block, outcomes=tuple(outcomes))
        if any(lie and lie[0] == number for lie in (self.false_balance, self.false_slot)):
            block = replace(block, header=replace(block.header, state_root=keccak256(b"another state")))
        return block

    def accounts(self, addresses: Sequence[Address], at: StateAt) -> list[AccountView]:
        views = self._engine.accounts(addresses, at)
        if self.false_balance is None:
            return views
        return [
            view._replace(balance_wei=view.balance_wei + 1) if (at, address) == self.false_balance else view
            for address, view in zip(addresses, views, strict=True)
        ]

    def storage(self, address: Address, slots: Sequence[Hash32], at: StateAt) -> list[Hash32]:
        values = self._engine.storage(address, slots, at)
        if self.false_slot is None:
            return values
        return [
            keccak256(value) if (at, address, slot) == self.false_slot else value
            for slot, value in zip(slots, values, strict=True)
        ]


@dataclass
class Chain:
    """A leader's engine and store, and the wallets that use it."""

    engine: Double
    parent: Header
    store: BlockStore = field(default_factory=lambda: BlockStore(MemoryStorage()))
    wallets: list[Wallet] = field(default_factory=list)

    async def build(self, *calls: tuple[int, dict[str, Any]]) -> Block:
        """Seal and store a block of these transactions, each a wallet's number and what it signs."""
        number = self.parent.number + 1
        attributes = PayloadAttributes(
            number=number,
            parent_hash=self.parent.hash,
            timestamp=GENESIS.timestamp + number,
            gas_limit=30_000_000,
            base_fee_per_gas=10**9,
            coinbase=LEADER,
            prev_randao=keccak256(b"randao"),
            extra_data=keccak256(b"policy"),
        )
        raws = [self.wallets[index].sign(max_fee_per_gas=10**11, **call) for index, call in calls]
        self.engine.begin(attributes)
        self.engine.apply(sender_recovery(self.engine._engine).recover(raws, RULES))
        block = self.engine.seal()
        await self.store.put(block, ())
        self.engine.commit(number)
        self.parent = block.header
        return block

    async def transfers(self, count: int = 3) -> Block:
        """A block of transfers by different senders."""
        return await self.build(*((index, {"to": b"\xaa" * 19 + bytes([index]), "value": 1}) for index in range(count)))


@contextmanager
def leader(folder: Path) -> Iterator[Chain]:
    """The first engine, on a chain of nothing but its genesis."""
    engine = open_engine("auto", folder / "leader", forks_needed=["prague"])
    try:
        header = engine.open(GENESIS)
        chain = Chain(Double(engine), header)
        asyncio.run(chain.store.put(Block(header, (), ()), ()))
        chain.wallets = [Wallet(account.private_key, GENESIS.spec.chain_id) for account in CHAIN.funded]
        yield chain
    finally:
        engine.close()


@dataclass
class Follower:
    """A verifier at work, what it found, and what it counts."""

    verifier: Verifier
    engine: ExecutionEngine
    registry: CollectorRegistry
    found: list[Difference]
    differs: asyncio.Event

    def sealed(self, block: Block) -> None:
        self.verifier.sealed(block, [outcome.outcome_hash for outcome in block.outcomes])

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)


@contextmanager
def follower(folder: Path, chain: Chain, engine: Any = None) -> Iterator[Follower]:
    """A verifier with a state in ``folder``, from which a later one goes on."""
    own = engine or open_verifying_engine(chain.engine._engine, folder / "verify", forks_needed=["prague"])
    registry = CollectorRegistry()
    found: list[Difference] = []
    differs = asyncio.Event()

    def on_difference(difference: Difference) -> None:
        found.append(difference)
        differs.set()

    with ThreadPoolExecutor(1) as thread:
        verifier = Verifier(
            genesis=GENESIS,
            witness=Witness(own, sender_recovery(own)),
            chain_engine=chain.engine,
            blocks=chain.store,
            thread=thread,
            metrics=VerificationMetrics(registry),
            on_difference=on_difference,
        )
        try:
            yield Follower(verifier, own, registry, found, differs)
        finally:
            thread.shutdown(wait=True)
            own.close()
