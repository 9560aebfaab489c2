"""Receipts of arrival on a disk that loses power, driven from a seed: who holds a signed one is never contradicted.

After every loss, each transaction whose receipt left the process is there, under the number and the time that were
signed; nobody else's word was given. More seeds with ``RECEIPT_SIM_SEEDS``; one with ``RECEIPT_SIM_SEED``.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from mempool.config import MempoolConfig
from mempool.journal import Journal
from mempool.metrics import MempoolMetrics
from mempool.service import Mempool
from sequencer.core import secp256k1
from sequencer.core.chain_spec import OrderingRule
from sequencer.core.eip712 import Domain
from sequencer.core.errors import Temporary
from sequencer.core.keccak import keccak256
from sequencer.core.received import Received
from sequencer.core.types import Address, Hash32, Signature
from sequencer.ordering import received
from sequencer.ordering.registry import make_policy
from sequencer.ordering_desk import OrderingDesk
from sequencer.testing.disk import Faults, SimulatedDisk
from tests.scenario.mempool.test_mempool_service import Chain, CountingRecovery
from tests.unit.mempool.makers import CHAIN_ID, RULES, signed

KEY = keccak256(b"sequencer")
DOMAIN = Domain(CHAIN_ID, Address(bytes(18) + b"\x08\x01"), keccak256(b"genesis"))
ONE_SEED = os.environ.get("RECEIPT_SIM_SEED")
SEEDS = [int(ONE_SEED)] if ONE_SEED else range(int(os.environ.get("RECEIPT_SIM_SEEDS", "25")))
LIVES = 4
SENDS = 12


class World:
    """The disk, and the receipts that have left."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.disk = SimulatedDisk()
        self.receipts: dict[Hash32, Received] = {}
        self.keys = 0
        self.now_ms = 1_000_000
        self.refused = 0

    async def live(self) -> None:
        """One process: it looks for what was signed before, takes transactions in, and signs for some of them."""
        self.disk.faults = Faults()
        pool = Mempool(
            replace(MempoolConfig(), journal_size_bytes=self.random.choice([2_000, 16 << 20])),
            CountingRecovery(),
            Chain().accounts,
            lambda: RULES,
            lambda: self.now_ms,
            MempoolMetrics(CollectorRegistry()),
            Journal(Path("/node/mempool.journal"), self.disk),
        )
        with ThreadPoolExecutor(1) as threads:
            rule = OrderingRule("fcfs", {})
            desk = OrderingDesk(
                rule=rule,
                policy=make_policy(rule),
                pool=pool,
                domain=DOMAIN,
                address=secp256k1.address_of_private_key(KEY),
                sign=lambda receipt: Signature(secp256k1.sign(KEY, DOMAIN.digest(receipt.struct_hash))),
                threads=threads,
            )
            running = asyncio.ensure_future(pool.run())
            try:
                await self.use(pool, desk)
                self.disk.power_loss(self.random)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def use(self, pool: Mempool, desk: OrderingDesk) -> None:
        for _ in range(SENDS):
            self.keys += 1
            self.now_ms += 7
            raw = signed(self.keys)
            await pool.submit(raw, until_promised=self.random.random() < 0.5)
            if self.keys % SENDS == 1:
                self.check(pool)  # the first send is let in once what the journal holds is
            if self.random.random() < 0.1:
                self.disk.faults.fdatasync_error = 0
            if self.random.random() < 0.1:
                self.disk.faults.pwrite_no_space = 0
            if self.random.random() < 0.4:
                await self.ask(desk, keccak256(raw))

    async def ask(self, desk: OrderingDesk, transaction_hash: Hash32) -> None:
        try:
            document = await desk.received(transaction_hash)
        except Temporary:
            self.refused += 1
            return
        assert document is not None
        receipt = received.from_json(document)
        assert receipt.verified(DOMAIN)
        self.receipts[transaction_hash] = receipt.received

    def check(self, pool: Mempool) -> None:
        for transaction_hash, receipt in self.receipts.items():
            arrival = pool.arrival(transaction_hash)
            assert arrival is not None, f"lost: 0x{transaction_hash.hex()}"
            assert (arrival.sequence, arrival.received_ms) == (receipt.sequence, receipt.received_ms), "arrived anew"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_signed_receipt_survives_a_loss_of_power(seed: int) -> None:
    world = World(seed)
    for _ in range(LIVES):
        asyncio.run(world.live())
    assert world.receipts, "receipts were signed"
