"""A leader as the audit sees one: a real pool and a real policy, and the blocks that come out of them.

Honest by itself; tests that need a cheat change what it decided before it is written down.
"""

from dataclasses import dataclass, field, replace

from mempool.config import MempoolConfig
from mempool.pool import Pool
from sequencer.core.block import PayloadAttributes
from sequencer.core.chain_spec import OrderingRule
from sequencer.core.errors import Reason, Rejected
from sequencer.core.ports import Budget
from sequencer.core.received import Received
from sequencer.core.transaction import Arrival, PooledTransaction
from sequencer.core.types import ZERO_ADDRESS, ZERO_HASH, Address, Hash32
from sequencer.ordering.audit import AuditedBlock, AuditedFlashblock, Violation, audit
from sequencer.ordering.ranked import ORIGIN_BUNDLE, RankedPolicy
from sequencer.ordering.registry import make_policy
from tests.unit.mempool.makers import RICH, account, address, transfer

GAS_LIMIT = 40 * 21_000


def ranked(rule: OrderingRule) -> RankedPolicy:
    policy = make_policy(rule)
    assert isinstance(policy, RankedPolicy)
    return policy


@dataclass
class Leader:
    """``now_ms`` and ``base_fee``, of the next block, are the test's to change."""

    rule: OrderingRule = field(default_factory=lambda: OrderingRule("fcfs"))
    now_ms: int = 1_000_000
    base_fee: int = 0
    term: int = 1

    def __post_init__(self) -> None:
        self.policy = ranked(self.rule)
        self.config = replace(MempoolConfig(), sender_executable_count=5, nonce_gap=8, delegated_count=8)
        self.pool = Pool(self.config)
        self.nonces: dict[int, int] = {}
        self.balances: dict[int, int] = {}
        self.blocks: list[AuditedBlock] = []
        self.flashblocks: list[AuditedFlashblock] = []
        self.open: list[PooledTransaction] = []
        self.gas_left = 0
        self.begin()

    # ------------------------------------------------------------------------------------------ what users do

    def arrive(self, sender: int, ahead: int = 0, fee: int = 10) -> PooledTransaction | None:
        """A transaction comes in, ``ahead`` nonces too far; None if the pool refuses it."""
        nonce = self.pool.next_nonce(address(sender), self.nonces.get(sender, 0)) + ahead
        try:
            return self.pool.add(transfer(sender, nonce, fee_cap=fee), self.now_ms, 0, self.view(sender))
        except Rejected:
            return None

    def pay(self, sender: int, balance_wei: int) -> None:
        """The sender's balance is this now."""
        self.balances[sender] = balance_wei
        self.pool.observe(address(sender), self.view(sender))

    def view(self, sender: int):  # type: ignore[no-untyped-def]
        return account(self.nonces.get(sender, 0), self.balances.get(sender, RICH))

    # ----------------------------------------------------------------------------------------- what it decides

    def begin(self) -> None:
        """The next block."""
        self.gas_left = GAS_LIMIT
        self.block_fee = self.base_fee
        self.pool.ready.set_base_fee(self.base_fee)
        self.policy.opened(len(self.blocks) + 1)

    def build(self, count: int, refuse: int | None = None) -> list[PooledTransaction]:
        """Pick a chunk and execute it as the builder does; execution refuses the one at ``refuse``, and whatever
        does not have its sender's next nonce."""
        picked = self.policy.pick(self.pool.ready, Budget(self.gas_left, 10**9, count), self.now_ms)
        self.pool.stage(picked)
        bad = picked[refuse % len(picked)] if refuse is not None and picked else None
        taken: list[PooledTransaction] = []
        restored: list[PooledTransaction] = []
        refused: set[Address] = set()
        for pooled in picked:
            sender = pooled.transaction.sender
            nonce = self.executed(int.from_bytes(sender))
            if pooled is not bad and pooled.transaction.nonce == nonce:
                self.open.append(pooled)
                self.policy.placed(pooled)
                taken.append(pooled)
            elif sender in refused:
                restored.append(pooled)
            else:
                refused.add(sender)
                too_low = pooled.transaction.nonce < nonce
                self.pool.drop(pooled, Reason.NONCE_TOO_LOW if too_low else Reason.INSUFFICIENT_FUNDS)
        self.pool.restore(restored)
        self.gas_left -= 21_000 * len(taken)
        return taken

    def place_bundle(self, senders: list[int]) -> None:
        """A bundle comes in and stands where it may."""
        arrival = self.pool.arrival(self.now_ms, ORIGIN_BUNDLE)
        members = []
        for sender in dict.fromkeys(senders):
            nonce = self.pool.next_nonce(address(sender), self.nonces.get(sender, 0))
            members.append(PooledTransaction(transfer(sender, nonce, fee_cap=self.block_fee + 1), arrival))
        while self.build(1):
            """Everybody else came before: by arrival under fcfs, and by a smaller rank elsewhere."""
        for member in members:
            sender = int.from_bytes(member.transaction.sender)
            if member.transaction.nonce == self.executed(sender) and self.gas_left >= 21_000:
                self.policy.placed(member)
                self.open.append(member)
                self.gas_left -= 21_000

    def executed(self, sender: int) -> int:
        """The sender's next nonce in the open block."""
        staged = [p for p in self.open if p.transaction.sender == address(sender)]
        return self.nonces.get(sender, 0) + len(staged)

    def close(self) -> None:
        """Cut a flashblock, which is durable at once."""
        if self.open:
            self.flashblocks.append(AuditedFlashblock(self.now_ms, tuple(self.open)))
            taken, self.open = self.open, []
            for pooled in taken:
                sender = int.from_bytes(pooled.transaction.sender)
                self.nonces[sender] = pooled.transaction.nonce + 1
            self.pool.included(
                taken, {p.transaction.sender: self.view(int.from_bytes(p.transaction.sender)) for p in taken}
            )

    def seal(self) -> None:
        """Close the block and begin the next one."""
        self.close()
        attributes = PayloadAttributes(
            number=len(self.blocks) + 1,
            parent_hash=ZERO_HASH,
            timestamp=self.now_ms // 1000,
            gas_limit=GAS_LIMIT,
            base_fee_per_gas=self.block_fee,
            coinbase=ZERO_ADDRESS,
            prev_randao=ZERO_HASH,
            extra_data=self.policy.policy_id,
            term=self.term,
        )
        self.blocks.append(AuditedBlock(attributes, tuple(self.flashblocks)))
        self.flashblocks = []
        self.begin()

    def restart(self) -> None:
        """A crash: what was not sealed is sealed, what was in the pool comes back from the journal."""
        self.seal()
        self.term += 1
        pooled = sorted(self.pool.contents(), key=lambda p: p.arrival.sequence)
        self.pool = Pool(self.config)
        for one in pooled:
            sender = int.from_bytes(one.transaction.sender)
            arrival = one.arrival
            try:
                self.pool.add(one.transaction, arrival.received_ms, 0, self.view(sender), sequence=arrival.sequence)
            except Rejected:
                continue
        self.pool.ready.set_base_fee(self.block_fee)

    # --------------------------------------------------------------------------------------- what others find

    def audited(self, receipts: dict[Hash32, Received] | None = None) -> list[Violation]:
        """The violations in everything that is sealed."""
        found = audit(ranked(self.rule), self.blocks, 1, len(self.blocks), receipts)
        return [violation for _, violation in found if violation]


def receipt(pooled: PooledTransaction) -> dict[Hash32, Received]:
    """What the leader signed for the sender, who keeps it."""
    name = pooled.transaction.hash
    return {name: Received(name, pooled.arrival.sequence, pooled.arrival.received_ms)}


def recorded(pooled: PooledTransaction, **changes: int) -> PooledTransaction:
    """The same transaction with another arrival record."""
    return PooledTransaction(pooled.transaction, pooled.arrival._replace(**changes))


def rewritten(block: AuditedBlock, *flashblocks: list[PooledTransaction]) -> AuditedBlock:
    """The block with other contents, at the same times."""
    times = [flashblock.timestamp_ms for flashblock in block.flashblocks] or [block.attributes.timestamp * 1000 + 999]
    return AuditedBlock(
        block.attributes,
        tuple(AuditedFlashblock(times[min(at, len(times) - 1)], tuple(taken)) for at, taken in enumerate(flashblocks)),
    )


__all__ = ["Address", "Arrival", "Leader", "ranked", "receipt", "recorded", "rewritten"]
