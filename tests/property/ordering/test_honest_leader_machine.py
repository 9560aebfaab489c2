"""Whatever an honest leader does, the audit finds nothing; and no policy breaks nonce order.

The leader cuts chunks, flashblocks and blocks as it likes, senders leave gaps, are replaced, run out of money
and are paid, execution refuses some, fees rise and fall, bundles come, and the node restarts.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sequencer.core.chain_spec import OrderingRule
from tests.unit.mempool.makers import RICH, address, transfer
from tests.unit.ordering.leader import Leader

RULES = [
    OrderingRule("fcfs"),
    OrderingRule("priority_fee", {"window_ms": 5}),
    OrderingRule("round_robin", {"share": 2}),
    OrderingRule("express_lane", {"advantage_ms": 4, "holder": "0x" + address(1).hex()}),
    OrderingRule("commit_reveal", {"delay_blocks": 1}),
]
SENDERS = st.integers(1, 5)


class HonestLeader(RuleBasedStateMachine):
    """After every step, everything that is sealed must pass the audit."""

    leader: Leader

    @initialize(rule=st.sampled_from(RULES))
    def start(self, rule: OrderingRule) -> None:
        self.leader = Leader(rule)
        self.checked = 0

    @rule(sender=SENDERS, ahead=st.sampled_from([0, 0, 0, 1, 2]), fee=st.integers(1, 30), after_ms=st.integers(0, 6))
    def arrive(self, sender: int, ahead: int, fee: int, after_ms: int) -> None:
        self.leader.now_ms += after_ms
        self.leader.arrive(sender, ahead, fee)

    @rule(count=st.integers(1, 6), refuse=st.none() | st.integers(0, 5))
    def build(self, count: int, refuse: int | None) -> None:
        self.leader.build(count, refuse)

    @rule(sender=SENDERS, transactions=st.integers(0, 4))
    def funds_change(self, sender: int, transactions: int) -> None:
        self.leader.pay(sender, RICH if transactions == 4 else transactions * 21_000 * 12)

    @rule(later_ms=st.integers(0, 5))
    def close(self, later_ms: int) -> None:
        self.leader.now_ms += later_ms
        self.leader.close()

    @rule(base_fee=st.sampled_from([0, 0, 5, 20]), later_ms=st.integers(0, 20))
    def seal(self, base_fee: int, later_ms: int) -> None:
        self.leader.now_ms += later_ms
        self.leader.base_fee = base_fee
        self.leader.seal()

    @rule()
    def restart(self) -> None:
        self.leader.restart()

    @rule(senders=st.lists(SENDERS, min_size=1, max_size=3))
    def bundle(self, senders: list[int]) -> None:
        if self.leader.rule.name == "fcfs":
            self.leader.place_bundle(senders)

    @rule(sender=SENDERS)
    def replace(self, sender: int) -> None:
        head = next((h for h in self.leader.pool.ready.heads() if h.transaction.sender == address(sender)), None)
        if head is not None and head.transaction.max_fee_per_gas < 60:
            bid = transfer(sender, head.transaction.nonce, fee_cap=head.transaction.max_fee_per_gas * 2)
            if self.leader.view(sender).balance_wei == RICH:
                self.leader.pool.add(bid, self.leader.now_ms, 0, self.leader.view(sender))

    @invariant()
    def nothing_is_found(self) -> None:
        leader = getattr(self, "leader", None)
        if leader is not None and len(leader.blocks) > self.checked:
            self.checked = len(leader.blocks)
            assert leader.audited() == []

    @invariant()
    def nonces_follow_on_each_other(self) -> None:
        leader = getattr(self, "leader", None)
        if leader is None:
            return
        last: dict[bytes, int] = {}
        for block in leader.blocks:
            for flashblock in block.flashblocks:
                for pooled in flashblock.taken:
                    transaction = pooled.transaction
                    assert transaction.nonce == last.get(transaction.sender, -1) + 1
                    last[transaction.sender] = transaction.nonce


TestHonestLeader = HonestLeader.TestCase
FUZZING = settings().max_examples > 1_000
"""`make fuzz`: 10^5 steps instead of some thousands."""
TestHonestLeader.settings = settings(max_examples=2_000 if FUZZING else 150, stateful_step_count=50, deadline=None)
